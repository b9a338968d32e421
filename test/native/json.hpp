// JSON of test/fixtures: numbers, texts, null, arrays, objects.
#pragma once

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Json {
  double number = 0;
  std::string text;
  std::vector<Json> items;
  std::map<std::string, Json> members;
  bool null = false;

  const Json& operator[](const std::string& name) const { return members.at(name); }
  // All numbers of nested arrays, in their order.
  template <class T = double>
  std::vector<T> flat() const {
    std::vector<T> all;
    append_to(all);
    return all;
  }

 private:
  template <class T>
  void append_to(std::vector<T>& all) const {
    if (items.empty()) all.push_back(static_cast<T>(number));
    for (const Json& item : items) item.append_to(all);
  }
};

class JsonReader {
 public:
  explicit JsonReader(const std::string& file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot read " + file);
    std::stringstream all;
    all << in.rdbuf();
    text_ = all.str();
  }
  Json value() {
    Json v;
    switch (next()) {
      case '{':
        each('}', [&] {
          const std::string name = string();
          expect(':');
          v.members.emplace(name, value());
        });
        break;
      case '[':
        each(']', [&] { v.items.push_back(value()); });
        break;
      case '"':
        v.text = string();
        break;
      case 'n':
        at_ += 4;
        v.null = true;
        break;
      default:
        char* end = nullptr;
        v.number = std::strtod(&text_[at_], &end);
        at_ = static_cast<std::size_t>(end - text_.data());
    }
    return v;
  }

 private:
  char next() {
    while (std::isspace(static_cast<unsigned char>(text_.at(at_)))) ++at_;
    return text_[at_];
  }
  void expect(char c) {
    if (next() != c) throw std::runtime_error(std::string("expected ") + c + " in JSON");
    ++at_;
  }
  template <class Body>
  void each(char end, Body&& body) {
    for (++at_; next() != end;) {
      body();
      if (next() == ',') ++at_;
    }
    ++at_;
  }
  std::string string() {
    expect('"');
    const std::size_t begin = at_;
    at_ = text_.find('"', begin) + 1;
    return text_.substr(begin, at_ - 1 - begin);
  }

  std::string text_;
  std::size_t at_ = 0;
};
