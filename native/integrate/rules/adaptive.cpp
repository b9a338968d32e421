#include <algorithm>
#include <cmath>

#include "integrate/rules/stochastic_tableau.hpp"
#include "integrate/rules/tableau.hpp"
#include "integrate/steps/last_good.hpp"
#include "integrate/steps/step_control.hpp"
#include "integrate/steps/trajectory.hpp"

namespace sklar {
namespace {

constexpr double kept_share = 0.5;  // rows that are done go when those on their way are fewer than this share

// What adaptive methods share: each row has its own time and step, chosen from its own errors, so that
// results do not depend on which rows are computed together.
template <class T>
class Adaptive {
 public:
  Adaptive(Trajectory<T>& t, double start, double end, double first_step, const StepControl::Gains& gains)
      : t_(t),
        control_(t.rows(), start, end, first_step, gains),
        y_(t.state()),
        trial_(t.state()),
        next_(t.state()) {
    error_ = t.vectors();
    for (auto* b : {&steps_, &times_, &errors_}) *b = t.backend.template buffer<double>(t.rows());
    for (auto* b : {&accepted_, &moved_}) *b = t.backend.template buffer<std::uint32_t>(t.rows());
    for (std::size_t i = 0; i < t.rows(); ++i) row_.push_back(static_cast<std::uint32_t>(i));
    host_.resize(t.rows());
  }
  virtual ~Adaptive() = default;

  SolverStatistics run() {
    statistics_.rows = t_.rows();
    while (!control_.all_done()) {
      t_.cancel.check();
      upload(steps_, [&](std::size_t i) { return control_.step(i); });
      attempt();
      ErrorNorm<T> norm;
      norm.error = error_.first(active());
      norm.a = inner(y_);
      norm.b = inner(next_);
      norm.absolute = t_.options.atol;
      norm.relative = t_.options.rtol;
      norm.out = errors_.data();
      judge_also(norm);
      t_.backend.error_norm(norm);
      t_.backend.download(host_.data(), errors_.data(), active() * sizeof(double));
      judge();
      compact();
    }
    write_back();
    return statistics_;
  }

 protected:
  // Fills next_ and error_ for a step of steps_ from y_.
  virtual void attempt() = 0;
  virtual void judge_also(ErrorNorm<T>&) {}
  // Takes over what belongs to accepted rows besides the state.
  virtual void accept(const std::uint32_t* rows, std::size_t count) = 0;
  // May rows be moved?
  virtual bool movable() const { return true; }
  virtual void move(const std::uint32_t*, std::size_t) {}
  virtual double time_at(double x) const = 0;
  virtual std::uint64_t evaluations_of(std::uint64_t attempts) const = 0;

  std::size_t active() const { return row_.size(); }
  MatrixView<T> inner(const Matrix<T>& m) const { return {m.data(), active(), t_.dim(), m.stride()}; }
  MatrixView<T> rows_of(const Matrix<T>& m) const { return m.first(active()); }

  template <class Value>
  void upload(const Buffer<double>& to, Value&& value) {
    for (std::size_t i = 0; i < active(); ++i) host_[i] = value(i);
    t_.backend.upload(to.data(), host_.data(), active() * sizeof(double));
  }

  Trajectory<T>& t_;
  StepControl control_;
  Matrix<T> y_, trial_, next_, error_;
  Buffer<double> steps_, times_, errors_;
  std::vector<std::uint32_t> row_;  // of the caller, for each row here
  std::vector<double> host_;

 private:
  void judge() {
    std::vector<std::uint32_t> list;
    LastGoodState stuck;
    double to = 0;
    for (std::size_t i = 0; i < active(); ++i) {
      if (control_.done(i)) continue;
      if (control_.judge(i, host_[i])) {
        list.push_back(static_cast<std::uint32_t>(i));
        ++statistics_.accepted;
      } else {
        ++statistics_.rejected;
      }
      if (control_.stuck(i)) {
        if (stuck.rows.empty()) to = time_at(control_.next(i));
        stuck.rows.push_back(t_.options.first_row + row_[i]);
        stuck.times.push_back(time_at(control_.at(i)));
      }
      if (control_.done(i)) {
        const std::uint64_t evaluations = evaluations_of(control_.attempts(i));
        statistics_.evaluations += evaluations;
        statistics_.most_evaluations = std::max(statistics_.most_evaluations, evaluations);
      }
    }
    if (!list.empty()) {
      t_.backend.upload(accepted_.data(), list.data(), list.size() * sizeof(std::uint32_t));
      accept(accepted_.data(), list.size());
      t_.backend.copy_rows(inner(y_), accepted_.data(), inner(next_), accepted_.data(), list.size());
    }
    if (stuck.rows.empty()) return;
    write_back();
    throw_diverged(std::move(stuck), to);
  }

  void write_back() {
    t_.backend.upload(moved_.data(), row_.data(), active() * sizeof(std::uint32_t));
    t_.backend.copy_rows(t_.z, moved_.data(), inner(y_), nullptr, active());
  }

  void compact() {
    if (!movable()) return;
    std::vector<std::uint32_t> kept;
    for (std::size_t i = 0; i < active(); ++i)
      if (!control_.done(i)) kept.push_back(static_cast<std::uint32_t>(i));
    if (kept.empty() || static_cast<double>(kept.size()) > kept_share * static_cast<double>(active())) return;
    write_back();
    t_.backend.upload(moved_.data(), kept.data(), kept.size() * sizeof(std::uint32_t));
    gather(y_, next_, kept.size());
    move(moved_.data(), kept.size());
    control_.keep(kept);
    for (std::size_t k = 0; k < kept.size(); ++k) row_[k] = row_[kept[k]];
    row_.resize(kept.size());
  }

 protected:
  // The listed rows of a matrix become its first ones, by way of another.
  void gather(Matrix<T>& m, Matrix<T>& by, std::size_t count) {
    const std::size_t columns = std::min(m.columns(), by.columns());
    t_.backend.copy_rows({by.data(), count, columns, by.stride()}, nullptr,
                         {m.data(), m.rows(), columns, m.stride()}, moved_.data(), count);
    t_.backend.copy_rows({m.data(), count, columns, m.stride()}, nullptr,
                         {by.data(), count, columns, by.stride()}, nullptr, count);
  }
  Buffer<std::uint32_t> accepted_, moved_;
  SolverStatistics statistics_;
};

// Dopri5 and Tsit5 in a clock.
template <class T>
class AdaptiveRungeKutta final : public Adaptive<T> {
 public:
  explicit AdaptiveRungeKutta(Trajectory<T>& t)
      : Adaptive<T>(t, to_clock(t.options.clock, t.node(0)), to_clock(t.options.clock, t.node(t.steps())),
                    to_clock(t.options.clock, t.node(1)) - to_clock(t.options.clock, t.node(0)),
                    // exponents of Hairer, Norsett, Wanner, II.4 (PI)
                    {5, 0.4, 0.3, 0}),
        tableau_(tableau_of(t.options.solver)),
        clock_(t.options.clock) {
    for (std::size_t j = 0; j < tableau_.stages; ++j) k_[j] = t.vectors();
    if (t.divergence) {
      columns_ = t.divergence->columns();
      for (std::size_t j = 0; j < tableau_.stages; ++j)
        divergence_[j] = t.backend.template buffer<double>(t.rows() * columns_);
      extra_error_ = t.backend.template buffer<double>(t.rows() * columns_);
      accepted_steps_ = t.backend.template buffer<double>(t.rows());
    }
    stage(0, this->y_);
  }

 protected:
  using Adaptive<T>::t_;
  using Adaptive<T>::control_;

  void attempt() override {
    for (std::size_t s = 1; s < tableau_.stages; ++s) {
      const bool last = s + 1 == tableau_.stages;
      const Matrix<T>& at = last ? this->next_ : this->trial_;
      Combine<T> sum;
      sum.to = this->inner(at);
      sum.add(this->inner(this->y_), 1);
      for (std::size_t j = 0; j < s; ++j)
        if (tableau_.a[s][j] != 0) sum.add(view(k_[j]), tableau_.a[s][j], this->steps_.data());
      t_.backend.combine(sum);
      stage(s, at);
    }
    Combine<T> sum;
    sum.to = view(this->error_);
    for (std::size_t j = 0; j < tableau_.stages; ++j)
      if (tableau_.e[j] != 0) sum.add(view(k_[j]), tableau_.e[j], this->steps_.data());
    t_.backend.combine(sum);
  }

  void judge_also(ErrorNorm<T>& norm) override {
    if (t_.divergence) {
      const std::size_t count = this->active() * columns_;
      t_.backend.clear(extra_error_.data(), count * sizeof(double));
      for (std::size_t j = 0; j < tableau_.stages; ++j)
        t_.backend.add_scaled(extra_error_.data(), divergence_[j].data(), count, tableau_.e[j],
                              this->steps_.data(), columns_);
      norm.extra = columns_;
      norm.extra_error = extra_error_.data();
      norm.extra_value = t_.divergence->total;
    }
    tried_.resize(this->active());
    for (std::size_t i = 0; i < this->active(); ++i) tried_[i] = control_.step(i);
  }

  void accept(const std::uint32_t* rows, std::size_t count) override {
    const std::size_t last = tableau_.stages - 1;
    if (t_.divergence) {
      // rows in which nothing happens have a step of zero
      std::vector<std::uint32_t> list(count);
      t_.backend.download(list.data(), rows, count * sizeof(std::uint32_t));
      std::vector<double> steps(this->active(), 0.0);
      for (std::uint32_t i : list) steps[i] = tried_[i];
      t_.backend.upload(accepted_steps_.data(), steps.data(), steps.size() * sizeof(double));
      for (std::size_t j = 0; j < last; ++j)
        if (tableau_.b[j] != 0)
          t_.backend.add_scaled(t_.divergence->total, divergence_[j].data(), this->active() * columns_,
                                tableau_.b[j], accepted_steps_.data(), columns_);
      for (std::uint32_t i : list)
        t_.backend.copy(divergence_[0].data() + i * columns_, divergence_[last].data() + i * columns_,
                        columns_ * sizeof(double));
    }
    if (t_.reflected()) {
      t_.backend.flip(view(k_[last]), this->inner(this->next_));
      t_.backend.fold(this->inner(this->next_), this->inner(this->next_));
    }
    t_.backend.copy_rows(view(k_[0]), rows, view(k_[last]), rows, count);
  }

  // probes and integrals belong to the row's place
  bool movable() const override { return !t_.divergence; }
  void move(const std::uint32_t*, std::size_t count) override { this->gather(k_[0], k_[1], count); }
  double time_at(double x) const override { return from_clock(clock_, x); }
  std::uint64_t evaluations_of(std::uint64_t attempts) const override {
    return 1 + attempts * (tableau_.stages - 1);
  }

 private:
  MatrixView<T> view(const Matrix<T>& m) const { return m.first(this->active()); }

  void stage(std::size_t s, const Matrix<T>& at) {
    const double c = tableau_.c[s];
    const double last = t_.node(t_.steps()), end = to_clock(clock_, last);
    const double first = t_.node(0), start = to_clock(clock_, first);
    this->upload(this->times_, [&](std::size_t i) {
      const double x = c == 1 ? control_.next(i) : control_.at(i) + c * control_.step(i);
      return x == end ? last : x == start ? first : from_clock(clock_, x);
    });
    t_.evaluate(this->rows_of(at), this->times_.data(), form_of(clock_), view(k_[s]), divergence_[s].data());
  }

  const Tableau& tableau_;
  Clock clock_;
  Matrix<T> k_[7];
  std::size_t columns_ = 0;
  Buffer<double> divergence_[7], extra_error_, accepted_steps_;
  std::vector<double> tried_;
};

// SRA1 and ShARK in ou time; the Brownian path is that of the tree, so a rejected step does not bias it.
template <class T>
class AdaptiveStochasticRungeKutta final : public Adaptive<T> {
 public:
  AdaptiveStochasticRungeKutta(Trajectory<T>& t, std::size_t first)
      : Adaptive<T>(t, 0, OuProcess::forward_time(t.node(first)) - OuProcess::forward_time(t.node(t.steps())),
                    OuProcess::forward_time(t.node(first)) - OuProcess::forward_time(t.node(first + 1)),
                    {2, 0.1, 0.3, 0}),
        tableau_(stochastic_tableau_of(t.options.solver)),
        start_(OuProcess::forward_time(t.node(first))) {
    for (auto* m : {&w_, &area_, &first_, &second_, &g_}) *m = t.vectors();
    for (auto* b : {&from_, &to_}) *b = t.backend.template buffer<double>(t.rows());
    rows_ = t.backend.template buffer<std::uint32_t>(t.rows());
  }

 protected:
  using Adaptive<T>::t_;
  using Adaptive<T>::control_;

  void attempt() override {
    this->upload(from_, [&](std::size_t i) { return control_.at(i); });
    this->upload(to_, [&](std::size_t i) { return control_.next(i); });
    t_.backend.upload(rows_.data(), this->row_.data(), this->active() * sizeof(std::uint32_t));
    BrownianPath path = t_.path();
    path.rows = rows_.data();
    t_.backend.brownian(view(w_), view(area_), path, from_.data(), to_.data());

    const double* h = this->steps_.data();
    const StochasticStep<T> step{this->inner(this->y_),
                                 this->inner(this->next_),
                                 this->inner(this->trial_),
                                 view(first_),
                                 view(second_),
                                 view(w_),
                                 view(area_),
                                 1,
                                 1,
                                 1,
                                 h};
    step(t_.backend, tableau_, [this](double c, MatrixView<T> into) { drift(c, into); });
    Combine<T> error;
    error.to = view(this->error_);
    error.add(view(second_), tableau_.e, h).add(view(first_), -tableau_.e, h);
    t_.backend.combine(error);
  }

  void accept(const std::uint32_t*, std::size_t) override {}
  double time_at(double x) const override { return OuProcess::angle(std::max(start_ - x, 0.0)); }
  std::uint64_t evaluations_of(std::uint64_t attempts) const override { return 2 * attempts; }

 private:
  MatrixView<T> view(const Matrix<T>& m) const { return m.first(this->active()); }

  void drift(double c, MatrixView<T> into) {
    this->upload(this->times_, [&](std::size_t i) { return time_at(control_.at(i) + c * control_.step(i)); });
    t_.evaluate(this->rows_of(this->trial_), this->times_.data(), Form::gradient, view(g_), nullptr);
    Combine<T> sum;
    sum.to = into;
    sum.add(this->inner(this->trial_), -1).add(view(g_), 2);
    t_.backend.combine(sum);
  }

  StochasticTableau tableau_;
  double start_;
  Matrix<T> w_, area_, first_, second_, g_;
  Buffer<double> from_, to_;
  Buffer<std::uint32_t> rows_;
};

}  // namespace

template <class T>
SolverStatistics integrate_adaptively(Trajectory<T>& t) {
  if (is_runge_kutta(t.options.solver)) return AdaptiveRungeKutta<T>(t).run();
  LastGood<T> good(t.backend, t.z, t.options.first_row);
  const bool left = t.leave_reference(0);
  good.keep(0);
  good.check([&](std::size_t k) { return t.node(k); });
  if (left && t.steps() < 2)
    throw Error("VALUE", "expected a node between pure noise and the end of an adaptive stochastic solver");
  AdaptiveStochasticRungeKutta<T> solver(t, left ? 1 : 0);
  SolverStatistics statistics = solver.run();
  if (left) {
    statistics.evaluations += t.rows();
    ++statistics.most_evaluations;
  }
  return statistics;
}

template SolverStatistics integrate_adaptively(Trajectory<float>&);
template SolverStatistics integrate_adaptively(Trajectory<double>&);

}  // namespace sklar
