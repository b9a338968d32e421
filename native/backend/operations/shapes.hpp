#pragma once

#include <cstddef>

namespace sklar {

// What an operation expects of its operands: each check throws Error("SHAPE") that names both unless it
// holds.
//   Shapes("transpose").matrix("to", to, from.columns, from.rows);
class Shapes {
 public:
  explicit Shapes(const char* operation) : operation_(operation) {}

  // at least `rows` rows, and columns: so many, or at least so many
  template <class Matrix>
  const Shapes& matrix(const char* name, const Matrix& m, std::size_t rows, std::size_t columns) const {
    if (m.columns != columns || !holds(m, rows, columns)) refuse(name, rows, columns, m.rows, m.columns);
    return *this;
  }
  template <class Matrix>
  const Shapes& matrix(const char* name, const Matrix& m) const {  // of any size
    return matrix(name, m, m.rows, m.columns);
  }
  template <class Matrix>
  const Shapes& wide(const char* name, const Matrix& m, std::size_t rows, std::size_t columns) const {
    if (!holds(m, rows, columns)) refuse(name, rows, columns, m.rows, m.columns);
    return *this;
  }
  // a matrix, in any of the forms that a device keeps
  template <class Matrix>
  const Shapes& activations(const char* name, const Matrix& m, std::size_t rows, std::size_t columns) const {
    if (m.columns != columns || m.rows < rows || m.stride < m.columns || !(m.given() || !rows || !columns))
      refuse(name, rows, columns, m.rows, m.columns);
    return *this;
  }
  // `count` values at p: something, that is, unless there are none
  const Shapes& values(const char* name, const void* p, std::size_t count) const {
    return that(p || count == 0, name);
  }
  // what: what is expected
  const Shapes& that(bool ok, const char* what) const {
    if (!ok) refuse(what);
    return *this;
  }

 private:
  template <class Matrix>
  static bool holds(const Matrix& m, std::size_t rows, std::size_t columns) {
    return m.rows >= rows && m.columns >= columns && m.stride >= m.columns &&
           (m.data || rows == 0 || columns == 0);
  }
  [[noreturn]] void refuse(const char* name, std::size_t rows, std::size_t columns, std::size_t got_rows,
                           std::size_t got_columns) const;
  [[noreturn]] void refuse(const char* what) const;

  const char* operation_;
};

}  // namespace sklar
