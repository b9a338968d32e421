#pragma once

namespace sklar {

// What the products of networks are computed in on CUDA (docs/devices.md). Sums are float32
// or better in all of them; the CPU computes in float32 whatever is asked for.
enum class Precision { fp32, mixed, fp16, bf16 };

}  // namespace sklar
