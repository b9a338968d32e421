#pragma once

#include <napi.h>

#include "margins/margin.hpp"

namespace sklar::addon {

// The margin behind a handle that marginCreate made.
SharedMargin to_margin(const Napi::Value& value);

}  // namespace sklar::addon
