// What a run is resumed from.
#include <string>

#include "train/trainer.hpp"

namespace sklar {

// In the order of each_tensor.
template <class T>
std::array<const Buffer<T>*, 8> Trainer<T>::kept() const {
  return {&parameters_, &m_, &v_, &average_, &best_, &best_parameters_, &best_m_, &best_v_};
}

template <class T>
void Trainer<T>::send_snapshot(double seconds, const Watch& watch) {
  run_.result.seconds = seconds_before_ + seconds;
  if (watch.snapshot) watch.snapshot(snapshot());
}

template <class T>
TrainSnapshot<T> Trainer<T>::snapshot() {
  const TrainState now = state();
  TrainSnapshot<T> s;
  s.progress = run_;
  s.progress.result.saturated = saturated();
  s.step = now.step;
  s.cross_entropy_sum = now.cross_entropy_sum;
  s.squared_error_sum = now.squared_error_sum;
  const auto buffers = kept();
  auto from = buffers.begin();
  each_tensor(s, [&](const char*, std::vector<T>& to) { to = host(**from++); });
  s.history = history_;
  return s;
}

template <class T>
void Trainer<T>::resume(const TrainSnapshot<T>& from) {
  const auto buffers = kept();
  auto to = buffers.begin();
  each_tensor(from, [&](const char* name, const std::vector<T>& tensor) {
    if (tensor.size() != (*to++)->size())
      throw Error("SHAPE", std::string("the snapshot belongs to a run with other options: ") + name);
  });
  const TrainProgress& p = from.progress;
  if (p.result.steps > p.end || p.end > options_.steps || from.step != p.result.steps ||
      p.rate.start > from.step)
    throw Error("VALUE", "the steps of the snapshot are not those of a run");
  to = buffers.begin();
  each_tensor(from, [&](const char*, const std::vector<T>& tensor) {
    backend_.upload((*to++)->data(), tensor.data(), tensor.size() * sizeof(T));
  });
  TrainState now{};
  now.step = from.step;
  now.cross_entropy_sum = from.cross_entropy_sum;
  now.squared_error_sum = from.squared_error_sum;
  backend_.upload(state_.data(), &now, sizeof now);
  run_ = from.progress;
  seconds_before_ = run_.result.seconds;
  forget_recordings();
  options_.adam.rate = run_.rate;
  history_ = from.history;
}

template std::array<const Buffer<float>*, 8> Trainer<float>::kept() const;
template void Trainer<float>::send_snapshot(double, const Watch&);
template TrainSnapshot<float> Trainer<float>::snapshot();
template void Trainer<float>::resume(const TrainSnapshot<float>&);

}  // namespace sklar
