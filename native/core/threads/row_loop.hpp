#pragma once

#include <algorithm>
#include <cstddef>

#include "core/threads/cancel.hpp"
#include "core/threads/thread_pool.hpp"

namespace sklar {

inline constexpr std::size_t row_chunk = 256;

inline std::size_t row_chunks(std::size_t rows) { return (rows + row_chunk - 1) / row_chunk; }

// body(first, count) for chunks of rows, on threads: chunks depend on the number of rows alone.
template <class Body>
void for_row_chunks(ThreadPool& pool, std::size_t rows, const CancelFlag& cancel, Body&& body) {
  pool.run(row_chunks(rows), [&](std::size_t chunk, std::size_t) {
    cancel.check();
    const std::size_t first = chunk * row_chunk;
    body(first, std::min(row_chunk, rows - first));
  });
}

}  // namespace sklar
