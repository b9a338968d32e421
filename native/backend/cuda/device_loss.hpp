#pragma once

#include <optional>
#include <string>

// After some errors of a kernel CUDA answers every call for that device with the same error until the process
// ends. Which devices that has happened to, and why.
namespace sklar::cuda {

bool is_lasting(int status);  // of a cudaError_t

// Keeps the first reason and returns it as a sentence.
std::string lose_device(int device, const std::string& error);
std::optional<std::string> loss_of_device(int device);

}  // namespace sklar::cuda
