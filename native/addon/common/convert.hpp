#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.hpp"

// Arguments in, results out. lib/native.ts is the only caller and has validated everything; what is checked
// here is what would crash or corrupt memory.
namespace sklar::addon {

inline Napi::Value field(const Napi::Object& object, const char* name) { return object.Get(name); }

inline std::size_t to_size(const Napi::Value& value, const char* name) {
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (number >= 0 && number <= 9007199254740991.0 && number == std::floor(number))
      return static_cast<std::size_t>(number);
  }
  throw Error("VALUE", std::string("expected a non-negative integer for ") + name);
}

inline double to_double(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) throw Error("VALUE", std::string("expected a number for ") + name);
  return value.As<Napi::Number>().DoubleValue();
}

inline bool to_bool(const Napi::Value& value, const char* name) {
  if (!value.IsBoolean()) throw Error("VALUE", std::string("expected true or false for ") + name);
  return value.As<Napi::Boolean>().Value();
}

inline std::string to_string(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw Error("VALUE", std::string("expected a string for ") + name);
  return value.As<Napi::String>().Utf8Value();
}

inline std::uint64_t to_uint64(const Napi::Value& value, const char* name) {
  if (value.IsBigInt()) {
    bool lossless = false;
    const std::uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
    if (lossless) return number;
  }
  throw Error("VALUE", std::string("expected an unsigned 64-bit bigint for ") + name);
}

template <class U>
constexpr napi_typedarray_type array_type() {
  if constexpr (std::is_same_v<U, float>)
    return napi_float32_array;
  else if constexpr (std::is_same_v<U, double>)
    return napi_float64_array;
  else if constexpr (std::is_same_v<U, std::uint32_t>)
    return napi_uint32_array;
  else
    return napi_int32_array;
}

template <class U>
bool is_array_of(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == array_type<U>();
}

// body<T>(), T being the precision of an array of parameters
template <class Body>
decltype(auto) in_precision_of(const Napi::Value& parameters, Body&& body) {
  if (is_array_of<double>(parameters)) return body.template operator()<double>();
  return body.template operator()<float>();
}

// Where the numbers are, without a copy, for the many of a whole table, to be read or written: a job keeps
// its arguments until it has ended (job.hpp), and lib gives it arrays that nobody else changes or transfers
// meanwhile. size: expected, or npos for any.
template <class U>
std::span<U> to_span(const Napi::Value& value, const char* name, std::size_t size = std::string::npos) {
  if (!is_array_of<U>(value))
    throw Error("VALUE", std::string("expected a typed array of the right kind for ") + name);
  auto array = value.As<Napi::TypedArrayOf<U>>();
  if (size != std::string::npos && array.ElementLength() != size)
    throw Error("SHAPE", "expected " + std::to_string(size) + " values for " + name + ", got " +
                             std::to_string(array.ElementLength()));
  return {array.Data(), array.ElementLength()};
}

// A copy, since the caller may change or transfer the buffer while a job runs.
template <class U>
std::vector<U> to_vector(const Napi::Value& value, const char* name, std::size_t size = std::string::npos) {
  const std::span<const U> values = to_span<U>(value, name, size);
  return {values.begin(), values.end()};
}

template <class U>
std::vector<U> to_vector_or_empty(const Napi::Value& value, const char* name,
                                  std::size_t size = std::string::npos) {
  if (value.IsNull() || value.IsUndefined()) return {};
  return to_vector<U>(value, name, size);
}

// As functions take what may be left out.
template <class U>
const U* data_or_null(const std::vector<U>& values) {
  return values.empty() ? nullptr : values.data();
}

template <class U>
Napi::Value to_array(Napi::Env env, const std::vector<U>& values) {
  auto array = Napi::TypedArrayOf<U>::New(env, values.size(), array_type<U>());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(U));
  return array;
}

template <class U, class Convert>
Napi::Array to_array(Napi::Env env, const std::vector<U>& list, Convert&& convert) {
  auto array = Napi::Array::New(env, list.size());
  for (std::size_t i = 0; i < list.size(); ++i) array.Set(static_cast<std::uint32_t>(i), convert(list[i]));
  return array;
}

// A number, boolean or text; of a vector of numbers a typed array; of a function of the environment what it
// gives.
template <class T>
Napi::Value to_value(Napi::Env env, const T& value) {
  if constexpr (std::is_convertible_v<const T&, napi_value>)
    return Napi::Value(env, value);
  else if constexpr (std::is_invocable_v<const T&, Napi::Env>)
    return value(env);
  else if constexpr (std::is_same_v<T, bool>)
    return Napi::Boolean::New(env, value);
  else if constexpr (std::is_arithmetic_v<T>)
    return Napi::Number::New(env, static_cast<double>(value));
  else if constexpr (std::is_convertible_v<const T&, std::string>)
    return Napi::String::New(env, std::string(value));
  else
    return to_array(env, value);
}

// { name: value, ... } of names and values in turns.
inline void set_fields(Napi::Object) {}
template <class T, class... Others>
void set_fields(Napi::Object o, const char* name, const T& value, const Others&... others) {
  o.Set(name, to_value(o.Env(), value));
  set_fields(o, others...);
}
template <class... Parts>
Napi::Object to_object(Napi::Env env, const Parts&... parts) {
  auto o = Napi::Object::New(env);
  set_fields(o, parts...);
  return o;
}

// A list of JavaScript values, each converted by convert(value).
template <class Convert>
auto to_list(const Napi::Value& value, const char* name, Convert&& convert) {
  if (!value.IsArray()) throw Error("VALUE", std::string("expected an array for ") + name);
  const auto array = value.As<Napi::Array>();
  std::vector<decltype(convert(value))> list;
  for (std::uint32_t i = 0; i < array.Length(); ++i) list.push_back(convert(array.Get(i)));
  return list;
}

inline std::size_t product(std::size_t a, std::size_t b) {
  if (b != 0 && a > (std::size_t{1} << 52) / b) throw Error("SHAPE", "array too large");
  return a * b;
}

}  // namespace sklar::addon
