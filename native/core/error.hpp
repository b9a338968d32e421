// The one exception type of the core. The code becomes ERR_SKLAR_<code> in TypeScript.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace sklar {

class Error : public std::exception {
 public:
  /// `code` is one of VALUE, SHAPE, FILE, FORMAT, DEVICE, MEMORY, DIVERGED, ABORTED, DISPOSED.
  Error(std::string code, std::string message) : code_(std::move(code)), message_(std::move(message)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }

 private:
  std::string code_;
  std::string message_;
};

// Where rows stood before they left the finite numbers.
struct LastGoodState {
  std::vector<std::uint64_t> rows;  // their numbers in the stream of the seed
  std::vector<double> times;        // of the process, one for each
  std::vector<double> values;       // rows x dim, on the scale of the caller
};

// Of an integration. The integrator knows rows and times; who knows the scale of the caller adds the values.
class Diverged : public Error {
 public:
  Diverged(std::string message, LastGoodState last)
      : Error("DIVERGED", std::move(message)), state(std::move(last)) {}

  LastGoodState state;
};

}  // namespace sklar
