// A test in a file of its own: #include "check.hpp", write TEST_CASE("name") { CHECK(...); }, and nothing
// else. Every file becomes one executable, those of CUDA together one (SKLAR_TESTS_TOGETHER,
// together/main.cpp). An argument runs only the cases whose name, or whose file's, contains it; --files
// prints the files.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace check {

struct Case {
  const char *name, *path;
  void (*run)();

  std::string file() const {
    const std::string whole(path), name = whole.substr(whole.find_last_of('/') + 1);
    return name.substr(0, name.find('.'));
  }
};

inline std::vector<Case>& cases() {
  static std::vector<Case> list;
  return list;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Register {
  Register(const char* name, const char* path, void (*run)()) { cases().push_back({name, path, run}); }
};

inline void fail(const char* file, int line, const std::string& what) {
  ++failures();
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

template <class A, class B>
void near(const char* file, int line, const char* text, A actual, B expected, double tolerance) {
  const double a = static_cast<double>(actual), e = static_cast<double>(expected);
  // Written so that a NaN on either side fails.
  if (std::abs(a - e) <= tolerance || a == e) return;
  std::ostringstream message;
  message.precision(17);
  message << "CHECK_NEAR(" << text << "): got " << a << ", expected " << e << " within " << tolerance;
  fail(file, line, message.str());
}

template <class A, class B>
void equal(const char* file, int line, const char* text, const A& actual, const B& expected) {
  if (actual == expected) return;
  std::ostringstream message;
  message.precision(17);
  message << "CHECK_EQUAL(" << text << "): got " << actual << ", expected " << expected;
  fail(file, line, message.str());
}

inline int run_all(const char* filter) {
  int failed_cases = 0, run = 0;
  for (const Case& c : cases()) {
    if (filter && !std::strstr(c.name, filter) && c.file().find(filter) == std::string::npos) continue;
    ++run;
    const int before = failures();
    try {
      c.run();
    } catch (const std::exception& error) {
      fail(c.name, 0, std::string("unexpected exception: ") + error.what());
    }
    const bool ok = failures() == before;
    if (!ok) ++failed_cases;
    std::printf("%s  %s\n", ok ? "ok  " : "FAIL", c.name);
  }
  std::printf("%d cases, %d failed\n", run, failed_cases);
  return failed_cases > 0 || run == 0 ? 1 : 0;
}

}  // namespace check

#define CHECK_JOIN_(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN_(a, b)
#define CHECK_CASE_(id, name)                                                                 \
  static void CHECK_JOIN(check_case_, id)();                                                  \
  static const check::Register CHECK_JOIN(check_register_, id)(name, __FILE__,                \
                                                               &CHECK_JOIN(check_case_, id)); \
  static void CHECK_JOIN(check_case_, id)()
#define TEST_CASE(name) CHECK_CASE_(__COUNTER__, name)

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) check::fail(__FILE__, __LINE__, "CHECK(" #condition ")"); \
  } while (false)
#define CHECK_EQUAL(actual, expected) check::equal(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_NEAR(actual, expected, tolerance) \
  check::near(__FILE__, __LINE__, #actual, (actual), (expected), (tolerance))
/// The exception's type is checked, and `inspect` sees it as `error`.
#define CHECK_THROWS(expression, type, inspect)                                          \
  do {                                                                                   \
    bool caught = false;                                                                 \
    try {                                                                                \
      static_cast<void>(expression);                                                     \
    } catch (const type& error) {                                                        \
      caught = true;                                                                     \
      static_cast<void>(error);                                                          \
      CHECK(inspect);                                                                    \
    }                                                                                    \
    if (!caught) check::fail(__FILE__, __LINE__, "no " #type " thrown by " #expression); \
  } while (false)

#if !defined(SKLAR_TESTS_TOGETHER) || defined(SKLAR_TESTS_MAIN)
int main(int argc, char** argv) {
  if (argc > 1 && !std::strcmp(argv[1], "--files")) {
    std::set<std::string> files;
    for (const auto& c : check::cases()) files.insert(c.file());
    for (const auto& file : files) std::puts(file.c_str());
    return 0;
  }
  return check::run_all(argc > 1 ? argv[1] : nullptr);
}
#endif
