#include "backend/cuda/runtime.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "backend/cuda/device_loss.hpp"
#include "core/error.hpp"

namespace sklar::cuda {
namespace {

constexpr std::size_t granularity = 512;

std::size_t size_class(std::size_t bytes) {
  return (bytes + granularity - 1) / granularity * granularity + (bytes == 0 ? granularity : 0);
}

std::string megabytes(std::size_t bytes) {
  return std::to_string((bytes + (std::size_t{1} << 20) - 1) >> 20) + " MB";
}

class GraphRecording final : public Recording {
 public:
  explicit GraphRecording(std::size_t releases) : releases_(releases) {}
  GraphRecording(cudaGraphExec_t graph, std::size_t releases) : graph_(graph), releases_(releases) {}
  ~GraphRecording() override {
    if (graph_) cudaGraphExecDestroy(graph_);
  }
  cudaGraphExec_t graph(std::size_t releases) const { return releases == releases_ ? graph_ : nullptr; }

 private:
  cudaGraphExec_t graph_ = nullptr;
  std::size_t releases_;
};

thread_local int current_device = 0;  // CUDA's, which a device that is lost does not tell

std::size_t attribute(cudaDeviceAttr what) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, what, current_device));
  return static_cast<std::size_t>(value);
}

// Memory cannot be asked for while a stream is recorded.
struct NotRecordable {};

cudaStream_t cuda_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

}  // namespace

void check(int status) {
  if (status == cudaSuccess) return;
  const auto error = static_cast<cudaError_t>(status);
  cudaGetLastError();  // clear it, or the next launch would report it as its own
  const std::string text = std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
  if (is_lasting(status)) throw Error("DEVICE", lose_device(current_device, text));
  throw Error(error == cudaErrorMemoryAllocation ? "MEMORY" : "DEVICE",
              "CUDA: " + text + ", on cuda:" + std::to_string(current_device));
}

std::size_t processors() { return attribute(cudaDevAttrMultiProcessorCount); }
std::size_t most_shared_memory() { return attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin); }

Runtime::Runtime(int device) {
  current_device = device;
  check(cudaSetDevice(device));
  cudaGetLastError();  // of what this thread did before
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  stream_ = stream;
}

Runtime::~Runtime() {
  cudaStreamSynchronize(cuda_stream(stream_));
  for (const auto& [size, blocks] : free_)
    for (void* p : blocks) cudaFree(p);
  cudaStreamDestroy(cuda_stream(stream_));
}

void* Runtime::allocate(std::size_t bytes) {
  moved_while_capturing_ |= capturing_;
  const std::size_t size = size_class(bytes);
  if (auto& blocks = free_[size]; !blocks.empty()) {
    void* p = blocks.back();
    blocks.pop_back();
    return p;
  }
  if (capturing_) throw NotRecordable{};
  void* p = nullptr;
  cudaError_t status = cudaMalloc(&p, size);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    cudaStreamSynchronize(cuda_stream(stream_));
    for (auto& [other, blocks] : free_) {
      for (void* block : blocks) cudaFree(block);
      blocks.clear();
    }
    status = cudaMalloc(&p, size);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw Error("MEMORY", "expected " + megabytes(size) + " of device memory, " + megabytes(free) + " of " +
                              megabytes(total) + " are free");
  }
  check(status);
  return p;
}

void Runtime::release(void* p, std::size_t bytes) noexcept {
  moved_while_capturing_ |= capturing_;
  ++releases_;
  try {
    free_[size_class(bytes)].push_back(p);
  } catch (...) {
    cudaStreamSynchronize(cuda_stream(stream_));
    cudaFree(p);
  }
}

void Runtime::upload(void* to, const void* host, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t part = std::min(bytes - done, PinnedRing::part_bytes);
    upload_part(static_cast<char*>(to) + done, part, static_cast<const char*>(host) + done, part, 1);
    done += part;
  }
}
// Rows of at most part_bytes together.
void Runtime::upload_part(void* to, std::size_t to_pitch, const void* host, std::size_t width,
                          std::size_t rows) {
  if (capturing_) throw NotRecordable{};
  void* const pinned = ring_.take(width * rows, stream_);
  if (pinned) std::memcpy(pinned, host, width * rows);
  const void* const from = pinned ? pinned : host;
  const cudaStream_t stream = cuda_stream(stream_);
  check(rows == 1
            ? cudaMemcpyAsync(to, from, width, cudaMemcpyHostToDevice, stream)
            : cudaMemcpy2DAsync(to, to_pitch, from, width, width, rows, cudaMemcpyHostToDevice, stream));
}
void Runtime::download(void* host, const void* from, std::size_t bytes) {
  if (bytes) check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, cuda_stream(stream_)));
  check(cudaStreamSynchronize(cuda_stream(stream_)));
}
void Runtime::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda_stream(stream_)));
}
void Runtime::clear(void* p, std::size_t bytes) {
  if (bytes) check(cudaMemsetAsync(p, 0, bytes, cuda_stream(stream_)));
}
void Runtime::upload_rows(void* to, std::size_t to_pitch, const void* host, std::size_t width,
                          std::size_t rows) {
  if (!width) return;
  if (to_pitch == width) return upload(to, host, width * rows);
  const std::size_t together = PinnedRing::part_bytes / width;
  for (std::size_t done = 0; done < rows;) {
    const std::size_t part = std::min(rows - done, std::max<std::size_t>(together, 1));
    char* const row = static_cast<char*>(to) + done * to_pitch;
    const char* const from = static_cast<const char*>(host) + done * width;
    if (together)
      upload_part(row, to_pitch, from, width, part);
    else
      upload(row, from, width);
    done += part;
  }
}
void Runtime::download_rows(void* host, std::size_t width, const void* from, std::size_t from_pitch,
                            std::size_t rows) {
  if (width && rows)
    check(cudaMemcpy2DAsync(host, width, from, from_pitch, width, rows, cudaMemcpyDeviceToHost,
                            cuda_stream(stream_)));
  check(cudaStreamSynchronize(cuda_stream(stream_)));
}

// The first call runs the body as it is, so that buffers grow; the second records it.
void Runtime::replay(std::unique_ptr<Recording>& recording, const std::function<void()>& body) {
  const auto* known = static_cast<const GraphRecording*>(recording.get());
  if (!known) {
    body();
    recording = std::make_unique<GraphRecording>(releases_);
    return;
  }
  if (const cudaGraphExec_t graph = known->graph(releases_)) {
    check(cudaGraphLaunch(graph, cuda_stream(stream_)));
    return;
  }
  moved_while_capturing_ = false;
  check(cudaStreamBeginCapture(cuda_stream(stream_), cudaStreamCaptureModeThreadLocal));
  capturing_ = true;
  cudaGraph_t graph = nullptr;
  const auto stop = [&] {
    capturing_ = false;
    return cudaStreamEndCapture(cuda_stream(stream_), &graph);
  };
  bool recordable = true;
  try {
    body();
  } catch (const NotRecordable&) {
    recordable = false;
  } catch (...) {
    stop();
    if (graph) cudaGraphDestroy(graph);
    throw;
  }
  check(stop());
  if (!recordable || moved_while_capturing_) {
    cudaGraphDestroy(graph);
    body();
    return;
  }
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status);
  recording = std::make_unique<GraphRecording>(executable, releases_);
  check(cudaGraphLaunch(executable, cuda_stream(stream_)));
}

}  // namespace sklar::cuda
