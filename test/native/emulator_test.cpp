// What the emulated device refuses or delays as a GPU would, so that the tests of kernels that run on it mean
// something.
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "async_copy.cuh"
#include "check.hpp"

using namespace sklar;
using namespace sklar::cuda;

namespace {

// body() by every thread of a block
template <class Body>
void on_block(unsigned threads, std::size_t shared, Body&& body) {
  emulator::run({1, 1, 1}, {threads, 1, 1}, shared, body);
}

// Tiles of 128 numbers, summed one after the other through a ring of `stages`, which keeps as many as that
// minus one under way. waits: for the tile before its use; guards: a barrier before a stage is used again.
template <int stages>
std::vector<float> pipelined(bool waits, bool guards) {
  constexpr unsigned threads = 32 * 4, tiles = 9;
  std::vector<float> from(tiles * threads), sums(threads);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
  on_block(threads, stages * threads * sizeof(float), [&] {
    SKLAR_SHARED(float, ring);
    const unsigned me = threadIdx.x;
    const auto fetch = [&](unsigned tile) {
      if (tile < tiles && me % 4 == 0)
        copy_async_16(ring + tile % stages * threads + me, from.data() + tile * threads + me);
      commit_copies();
    };
    for (unsigned tile = 0; tile + 1 < stages; ++tile) fetch(tile);
    float sum = 0;
    for (unsigned tile = 0; tile < tiles; ++tile) {
      if (waits)
        wait_for_copies_but<stages - 2>();
      else
        wait_for_copies_but<stages - 1>();
      if (guards) __syncthreads();
      fetch(tile + stages - 1);
      if (!guards) __syncthreads();
      sum += ring[tile % stages * threads + (me + 37) % threads];
    }
    sums[me] = sum;
  });
  return sums;
}

std::vector<float> expected_sums() {
  std::vector<float> sums(128);
  for (unsigned i = 0; i < 128; ++i)
    for (unsigned tile = 0; tile < 9; ++tile) sums[i] += static_cast<float>(tile * 128 + (i + 37) % 128);
  return sums;
}

}  // namespace

TEST_CASE("asynchronous copies arrive when their group is waited for, and no sooner") {
  const std::vector<float> from = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<float> seen;
  on_block(1, 48, [&] {
    SKLAR_SHARED(float, shared);
    const auto look = [&] {
      for (const int i : {0, 4, 8}) seen.push_back(shared[i] < 0 ? 0 : shared[i]);  // garbage is below 0
    };
    copy_async_16(shared, from.data());
    commit_copies();
    copy_async_16(shared + 4, from.data() + 4, 8);
    commit_copies();
    copy_async(shared + 8, from.data() + 8);
    look();
    wait_for_copies_but<2>();
    look();
    wait_for_copies_but<1>();
    look();
    wait_for_copies_but<0>();
    look();
    CHECK_EQUAL(shared[5], 6.0f);
    CHECK_EQUAL(shared[6], 0.0f);
    CHECK_EQUAL(shared[7], 0.0f);
    wait_for_copies();
    look();
    copy_async(shared, from.data() + 3);
    look();
  });
  CHECK((seen == std::vector<float>{0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 5, 0, 1, 5, 9, 0, 5, 9}));
}

TEST_CASE("a ring of asynchronous copies that misses a wait or a barrier shows") {
  const auto expected = expected_sums();
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    emulator::set_seed(seed);
    CHECK(pipelined<2>(true, true) == expected);
    CHECK(pipelined<3>(true, true) == expected);
    CHECK(pipelined<4>(true, true) == expected);
    CHECK(pipelined<3>(false, true) != expected);
  }
  bool noticed = false;
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    emulator::set_seed(seed);
    noticed |= pipelined<3>(true, false) != expected;
  }
  CHECK(noticed);
}

TEST_CASE("asynchronous copies of addresses that a GPU would not take are refused") {
  alignas(16) static float from[8] = {};
  for (const unsigned wrong : {1u, 2u, 3u}) {
    CHECK_THROWS(on_block(1, 64, [&] { copy_async_16(emulator::shared_memory(), from + wrong); }),
                 std::logic_error, std::string(error.what()).find("multiple") != std::string::npos);
    CHECK_THROWS(on_block(1, 64, [&] { copy_async_16(emulator::shared_memory() + 4 * wrong, from); }),
                 std::logic_error, std::string(error.what()).find("multiple") != std::string::npos);
  }
  CHECK_THROWS(on_block(1, 64, [&] { copy_async_16(emulator::shared_memory() + 64, from); }),
               std::logic_error, std::string(error.what()).find("shared") != std::string::npos);
  CHECK_THROWS(on_block(1, 64, [&] { copy_async_16(from, from + 4); }), std::logic_error,
               std::string(error.what()).find("shared") != std::string::npos);
}

namespace {

void kernel(int) {}
void other_kernel(int) {}

int launched(void (*function)(int), dim3 grid, dim3 block, std::size_t shared,
             cudaStream_t stream = nullptr) {
  SKLAR_LAUNCH(function, grid, block, shared, stream, 0);
  return cudaGetLastError();
}

cudaStream_t new_stream() {
  cudaStream_t s = nullptr;
  CHECK_EQUAL(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), cudaSuccess);
  return s;
}

}  // namespace

TEST_CASE("launches have the limits of a GPU") {
  CHECK_EQUAL(launched(&kernel, {1u << 17, 1, 1}, 1, 0), cudaSuccess);
  CHECK_EQUAL(launched(&kernel, {1, 65535, 1}, 1, 0), cudaSuccess);
  CHECK_EQUAL(launched(&kernel, 1, {32, 16, 2}, 0), cudaSuccess);
  for (const dim3 grid : {dim3(0), dim3(1, 65536), dim3(1, 1, 65536), dim3(0x80000000u)})
    CHECK_EQUAL(launched(&kernel, grid, 1, 0), cudaErrorInvalidConfiguration);
  for (const dim3 block : {dim3(0), dim3(1025), dim3(32, 33), dim3(1, 1, 65)})
    CHECK_EQUAL(launched(&kernel, 1, block, 0), cudaErrorInvalidConfiguration);
  CHECK_EQUAL(launched(&kernel, 1, 1, 0), cudaSuccess);  // the error was told once
}

TEST_CASE("a kernel has 48 KiB of shared memory, or what it was allowed, and no other kernel has that") {
  const auto allow = [](void (*function)(int), std::size_t bytes) {
    return cudaFuncSetAttribute(reinterpret_cast<const void*>(function),
                                cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
  };
  CHECK_EQUAL(launched(&kernel, 1, 1, 48 << 10), cudaSuccess);
  CHECK_EQUAL(launched(&kernel, 1, 1, (48 << 10) + 1), cudaErrorInvalidValue);
  CHECK_EQUAL(allow(&kernel, 228 << 10), cudaErrorInvalidValue);
  CHECK_EQUAL(cudaGetLastError(), cudaErrorInvalidValue);
  CHECK_EQUAL(allow(&kernel, 100 << 10), cudaSuccess);
  CHECK_EQUAL(launched(&kernel, 1, 1, 100 << 10), cudaSuccess);
  CHECK_EQUAL(launched(&kernel, 1, 1, (100 << 10) + 1), cudaErrorInvalidValue);
  CHECK_EQUAL(launched(&other_kernel, 1, 1, 100 << 10), cudaErrorInvalidValue);
  CHECK_EQUAL(allow(&kernel, 20 << 10), cudaSuccess);
  CHECK_EQUAL(launched(&kernel, 1, 1, 30 << 10), cudaErrorInvalidValue);
  CHECK_EQUAL(allow_most_shared(reinterpret_cast<const void*>(&other_kernel)), cudaSuccess);
  CHECK_EQUAL(launched(&other_kernel, 1, 1, 227 << 10), cudaSuccess);
}

TEST_CASE("calls that a capture does not bear end it") {
  const cudaStream_t stream = new_stream();
  void* memory = nullptr;
  CHECK_EQUAL(cudaMalloc(&memory, 64), cudaSuccess);
  float host = 0;
  const std::vector<std::function<cudaError_t()>> forbidden = {
      [&] { return cudaMalloc(&memory, 64); },
      [&] { return cudaFree(memory); },
      [&] { return cudaMallocHost(&memory, 64); },
      [&] { return cudaStreamSynchronize(stream); },
      [&] { return cudaMemcpyAsync(memory, &host, sizeof host, cudaMemcpyHostToDevice, stream); },
      [&] { return cudaMemcpyAsync(&host, memory, sizeof host, cudaMemcpyDeviceToHost, stream); },
  };
  for (const auto& call : forbidden) {
    cudaGraph_t graph = nullptr;
    CHECK_EQUAL(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    CHECK_EQUAL(launched(&kernel, 1, 1, 0, stream), cudaSuccess);
    CHECK_EQUAL(call(), cudaErrorStreamCaptureUnsupported);
    cudaGetLastError();
    CHECK_EQUAL(launched(&kernel, 1, 1, 0, stream), cudaErrorStreamCaptureInvalidated);
    CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    CHECK(graph == nullptr);
    cudaGetLastError();
    CHECK_EQUAL(cudaStreamSynchronize(stream), cudaSuccess);
  }
  // a launch that fails ends it, too; another thread is free to do what it wants
  cudaGraph_t graph = nullptr;
  CHECK_EQUAL(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  CHECK_EQUAL(launched(&kernel, 1, 2000, 0, stream), cudaErrorInvalidConfiguration);
  CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  CHECK_EQUAL(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  cudaError_t elsewhere = cudaErrorUnknown;
  std::thread([&] { elsewhere = cudaFree(memory); }).join();
  CHECK_EQUAL(elsewhere, cudaSuccess);
  CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  CHECK(graph != nullptr);
  CHECK_EQUAL(cudaGraphDestroy(graph), cudaSuccess);
  CHECK_EQUAL(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_CASE("a stream runs no sooner than somebody waits for it") {
  const cudaStream_t stream = new_stream();
  void *device = nullptr, *pinned = nullptr;
  CHECK_EQUAL(cudaMalloc(&device, 4), cudaSuccess);
  CHECK_EQUAL(cudaMallocHost(&pinned, 4), cudaSuccess);
  float* const value = static_cast<float*>(pinned);
  const auto up = [&] { return cudaMemcpyAsync(device, pinned, 4, cudaMemcpyHostToDevice, stream); };
  const auto down = [&] {
    float seen = 0;
    CHECK_EQUAL(cudaMemcpyAsync(&seen, device, 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
    return seen;
  };
  *value = 1;
  CHECK_EQUAL(up(), cudaSuccess);
  *value = 2;  // before the device has read it
  CHECK_EQUAL(down(), 2.0f);
  cudaEvent_t event = nullptr;
  CHECK_EQUAL(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  CHECK_EQUAL(up(), cudaSuccess);
  CHECK_EQUAL(cudaEventRecord(event, stream), cudaSuccess);
  CHECK_EQUAL(cudaEventSynchronize(event), cudaSuccess);
  *value = 3;
  CHECK_EQUAL(down(), 2.0f);
  float pageable = 4;
  CHECK_EQUAL(cudaMemcpyAsync(device, &pageable, 4, cudaMemcpyHostToDevice, stream), cudaSuccess);
  pageable = 5;
  CHECK_EQUAL(down(), 4.0f);
  CHECK_EQUAL(cudaEventDestroy(event), cudaSuccess);
  CHECK_EQUAL(cudaFreeHost(pinned), cudaSuccess);
  CHECK_EQUAL(cudaFree(device), cudaSuccess);
  CHECK_EQUAL(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_CASE("blocks run in any order and in turn") {
  // the last block to arrive sums what all have left; without the count there are blocks that have not
  const auto total = [](bool counts) {
    constexpr unsigned blocks = 9;
    std::vector<int> left(blocks, 0), order;
    unsigned arrived = 0;
    int sum = 0;
    emulator::run({blocks, 1, 1}, {64, 1, 1}, 16, [&] {
      if (threadIdx.x == 0) order.push_back(static_cast<int>(blockIdx.x));
      __syncthreads();
      if (threadIdx.x == 63) {
        left[blockIdx.x] = static_cast<int>(blockIdx.x) + 1;
        __threadfence();
        const bool last = atomicAdd(&arrived, 1u) == blocks - 1;
        if (counts ? last : blockIdx.x == blocks - 1)
          for (const int v : left) sum += v;
      }
    });
    return std::pair(sum, order);
  };
  bool wrong = false, mixed = false;
  std::vector<int> in_order(9);
  std::iota(in_order.begin(), in_order.end(), 0);
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    emulator::set_seed(seed);
    const auto [sum, order] = total(true);
    CHECK_EQUAL(sum, 45);
    mixed |= order != in_order;
    wrong |= total(false).first != 45;
  }
  CHECK(wrong);
  CHECK(mixed);
}
