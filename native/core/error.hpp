// The one exception type of the core. The code becomes ERR_SKLAR_<code> in TypeScript.
#pragma once

#include <exception>
#include <string>
#include <utility>

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

}  // namespace sklar
