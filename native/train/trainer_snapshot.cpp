// What a run is resumed from.
#include <string>

#include "train/trainer.hpp"

namespace sklar {

template <class T>
void Trainer<T>::send_snapshot(double seconds, const Watch& watch) {
  run_.result.seconds = run_.seconds_before + seconds;
  if (watch.snapshot) watch.snapshot(snapshot());
}

template <class T>
TrainSnapshot<T> Trainer<T>::snapshot() {
  TrainSnapshot<T> s;
  const Buffer<T>* whole[] = {&parameters_, &m_, &v_, &average_, &best_};
  for (std::size_t i = 0; i < 5; ++i) s.tensors[i] = host(*whole[i]);
  if (options_.anneal) {
    const std::vector<T> run = host(best_run_);
    for (std::size_t i = 0; i < 3; ++i)
      s.tensors[5 + i].assign(run.begin() + static_cast<std::ptrdiff_t>(i * count_),
                              run.begin() + static_cast<std::ptrdiff_t>((i + 1) * count_));
  }
  const TrainState now = state();
  const TrainResult& r = run_.result;
  auto number = [](auto value) { return static_cast<double>(value); };
  s.scalars = {number(now.step),
               number(r.steps),
               number(r.best_step),
               r.best_validation,
               r.seconds,
               r.step_seconds,
               number(r.stopped_early),
               run_.validation,
               now.cross_entropy_sum,
               now.squared_error_sum,
               number(run_.since_report),
               number(run_.looks_without_gain),
               number(run_.end),
               run_.best_rate,
               number(run_.annealing),
               run_.rate.peak,
               run_.rate.final_fraction,
               number(run_.rate.warmup),
               number(run_.rate.total),
               number(run_.rate.start)};
  s.history = history_;
  return s;
}

template <class T>
void Trainer<T>::resume(const TrainSnapshot<T>& from) {
  const std::vector<double>& s = from.scalars;
  bool fits = s.size() == 20;
  for (std::size_t i = 0; i < from.tensors.size(); ++i)
    fits = fits && from.tensors[i].size() == (i < 5 || options_.anneal ? count_ : 0);
  if (!fits) throw Error("SHAPE", "the snapshot belongs to a run with other options");
  Buffer<T>* whole[] = {&parameters_, &m_, &v_, &average_, &best_};
  for (std::size_t i = 0; i < 5; ++i)
    backend_.upload(whole[i]->data(), from.tensors[i].data(), count_ * sizeof(T));
  for (std::size_t i = 5; i < from.tensors.size() && options_.anneal; ++i)
    backend_.upload(best_run_.data() + (i - 5) * count_, from.tensors[i].data(), count_ * sizeof(T));
  auto whole_number = [](double value) { return static_cast<std::uint64_t>(value); };
  TrainState now{};
  now.step = whole_number(s[0]);
  now.cross_entropy_sum = s[8];
  now.squared_error_sum = s[9];
  backend_.upload(state_.data(), &now, sizeof now);
  run_.result = {whole_number(s[1]), whole_number(s[2]), s[3], s[4], s[5], s[6] != 0};
  run_.seconds_before = run_.result.seconds;
  run_.validation = s[7];
  run_.since_report = whole_number(s[10]);
  run_.looks_without_gain = whole_number(s[11]);
  run_.end = whole_number(s[12]);
  run_.best_rate = s[13];
  run_.annealing = s[14] != 0;
  run_.rate = {s[15], s[16], whole_number(s[17]), whole_number(s[18]), whole_number(s[19])};
  step_.reset();
  options_.adam.rate = run_.rate;
  history_ = from.history;
}

template void Trainer<float>::send_snapshot(double, const Watch&);
template void Trainer<double>::send_snapshot(double, const Watch&);
template TrainSnapshot<float> Trainer<float>::snapshot();
template TrainSnapshot<double> Trainer<double>::snapshot();
template void Trainer<float>::resume(const TrainSnapshot<float>&);
template void Trainer<double>::resume(const TrainSnapshot<double>&);

}  // namespace sklar
