#pragma once

#include <napi.h>

#include <functional>
#include <span>

#include "addon/common/device_choice.hpp"
#include "addon/common/job.hpp"
#include "train/trainer.hpp"

// What training of every kind of model takes and gives.
namespace sklar::addon {

struct TrainCall {
  // What the models, at least one, do not share.
  struct Model {
    std::span<const double> training, validation;  // rows x dim, copula scale, not copied
    // numbers of those that are meant; without any all are, in order
    std::span<const std::uint32_t> training_rows, validation_rows;
    std::vector<double> cholesky;    // L where the network reads y = L^-1 z; empty: the identity
    std::vector<double> completion;  // factor of the Gaussian copula of tied levels; empty: independence
    std::uint64_t seed;
    std::vector<float> initial;                            // parameters; empty: from the seed
    std::shared_ptr<const TrainSnapshot<float>> snapshot;  // to go on from; null: from the start
  };
  std::vector<Model> models;
  std::size_t rows = 0, validation_rows = 0, batch = 0;
  LevelBlocks blocks;                           // of recurring values; empty: there are none
  std::size_t settling_sweeps = 0, sweeps = 0;  // before the first step; of each
  DeviceChoice device;
  TrainOptions options;  // but for the seed

  std::size_t validation_batch() const;
};

// (Float64Array | null)[], one for each column
LevelBlocks to_level_blocks(const Napi::Value& value, std::size_t dim);

// { name: string; offset: number; rows: number; columns: number }[]
Napi::Value to_array(Napi::Env env, const std::vector<ParameterSlice>& slices);

AdamOptions to_adam(const Napi::Object& o);
TrainCall to_train_call(const Napi::Object& o, std::size_t dim);

// What the models of a call have in common; objective and validation (null: none) belong to the network.
struct Training {
  Backend<float>& backend;
  Network<float>& network;
  Objective<float>& objective;
  Objective<float>* validation;
  std::size_t dim;
  bool reads_levels;  // the network's coordinates are rows on the copula scale; else y = L^-1 z
  bool zero_head;     // see initial_parameters
  std::size_t members = 1;
};

// Trains the models of a call. Several are trained together, by a device that has one operation for a step of
// all; null is delivered, and nothing is done, where it has not. Reports and snapshots go out through
// `progress`; no snapshot and no watched step is lost, also not those that a cancelled run leaves.
Job::Deliver run_training(const Training& training, const TrainCall& call, const CancelFlag& cancel,
                          const Job::Progress& progress);

// A job that trains by train(in, cancel, progress); reports go to the second argument of the call.
template <class Input, class Train>
Napi::Value start_training_job(const Napi::CallbackInfo& info, Input in, Train train) {
  return Job::start(info, info[1],
                    [in = std::move(in), train](const CancelFlag& cancel, const Job::Progress& progress) {
                      return train(in, cancel, progress);
                    });
}

}  // namespace sklar::addon
