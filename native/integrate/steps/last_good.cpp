#include "integrate/steps/last_good.hpp"

#include <cstdio>
#include <string>

namespace sklar {

template <class T>
LastGood<T>::LastGood(Backend<T>& backend, MatrixView<T> z, std::uint64_t first_row)
    : backend_(backend),
      z_(z),
      first_row_(first_row),
      good_(backend.matrix(z.rows, z.columns)),
      failed_(backend.template buffer<std::int32_t>(z.rows)),
      host_(z.rows) {
  backend.copy_rows(good_, nullptr, z, nullptr, z.rows);
}

template <class T>
void LastGood<T>::keep(std::size_t step) {
  backend_.keep_finite(z_, good_, failed_.data(), static_cast<std::int32_t>(step + 1));
}

template <class T>
void LastGood<T>::check(const std::function<double(std::size_t)>& time) {
  backend_.download(host_.data(), failed_.data(), host_.size() * sizeof(std::int32_t));
  LastGoodState state;
  double to = 0;
  for (std::size_t i = 0; i < host_.size(); ++i) {
    if (host_[i] == 0) continue;
    const auto step = static_cast<std::size_t>(host_[i]) - 1;
    if (state.rows.empty()) to = time(step + 1);
    state.rows.push_back(first_row_ + i);
    state.times.push_back(time(step));
  }
  if (!state.rows.empty()) throw_diverged(std::move(state), to);
}

void throw_diverged(LastGoodState state, double to) {
  const std::size_t count = state.rows.size();
  char span[80];
  std::snprintf(span, sizeof span, "between the times %.6g and %.6g", state.times[0], to);
  const std::string message = "the integration left the finite numbers in " + std::to_string(count) +
                              (count == 1 ? " row" : " rows") + ", first in row " +
                              std::to_string(state.rows[0]) + ", " + span;
  throw Diverged(message, std::move(state));
}

template class LastGood<float>;
template class LastGood<double>;

}  // namespace sklar
