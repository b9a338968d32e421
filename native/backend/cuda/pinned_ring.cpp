#include "backend/cuda/pinned_ring.hpp"

#include <cuda_runtime.h>

#include "backend/cuda/runtime.hpp"

namespace sklar::cuda {
namespace {

cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

}  // namespace

PinnedRing::~PinnedRing() {
  for (const Part& part : part_)
    if (part.event) cudaEventDestroy(event_of(part.event));
  if (memory_) cudaFreeHost(memory_);
}

void* PinnedRing::take(std::size_t bytes, void* stream) {
  if (!memory_) {
    if (refused_) return nullptr;
    void* p = nullptr;
    const cudaError_t status = cudaMallocHost(&p, parts * part_bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      refused_ = true;
      return nullptr;
    }
    check(status);
    memory_ = static_cast<char*>(p);
    for (Part& part : part_) {
      cudaEvent_t event = nullptr;
      check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
      part.event = event;
    }
  }
  if (filled_ + bytes > part_bytes) {
    check(cudaEventRecord(event_of(part_[at_].event), static_cast<cudaStream_t>(stream)));
    part_[at_].used = true;
    at_ = (at_ + 1) % parts;
    filled_ = 0;
    if (part_[at_].used) check(cudaEventSynchronize(event_of(part_[at_].event)));
  }
  char* const p = memory_ + at_ * part_bytes + filled_;
  filled_ += (bytes + 15) / 16 * 16;
  return p;
}

}  // namespace sklar::cuda
