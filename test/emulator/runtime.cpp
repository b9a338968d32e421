#include <sys/mman.h>

#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "cuda_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

struct EmulatedGraph {
  std::vector<std::function<void()>> work;
};
struct EmulatedStream {
  EmulatedGraph* capture = nullptr;
};

namespace {

// Device memory is a range of addresses that only kernels and copies may touch: a host that reads it dies, as
// it would with a GPU.
constexpr size_t device_memory = size_t{1} << 30;
constexpr size_t gap = 256;  // between two blocks

class Device {
 public:
  Device()
      : base_(static_cast<char*>(
            mmap(nullptr, device_memory, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    poison(base_, device_memory);
  }

  template <class Work>
  void run(const Work& work) {
    const std::lock_guard lock(mutex_);
    if (depth_++ == 0) mprotect(base_, device_memory, PROT_READ | PROT_WRITE);
    const Closer closer{this};
    work();
  }

  void* allocate(size_t bytes) {
    const size_t size = (bytes + 255) / 256 * 256;
    const std::lock_guard lock(mutex_);
    char* p = nullptr;
    if (auto& list = free_[size]; !list.empty()) {
      p = list.back();
      list.pop_back();
    } else if (device_memory - end_ >= size + gap) {
      p = base_ + end_;
      end_ += size + gap;
    } else {
      return nullptr;
    }
    sizes_[p] = size;
    unpoison(p, bytes);
    run([&] { memset(p, 0xA5, bytes); });
    return p;
  }

  void release(void* given) {
    const std::lock_guard lock(mutex_);
    const auto at = sizes_.find(static_cast<char*>(given));
    if (at == sizes_.end()) return;
    poison(at->first, at->second);
    free_[at->second].push_back(at->first);
    sizes_.erase(at);
  }

  size_t unused() {
    const std::lock_guard lock(mutex_);
    return device_memory - end_;
  }

 private:
  struct Closer {
    Device* device;
    ~Closer() {
      if (--device->depth_ == 0) mprotect(device->base_, device_memory, PROT_NONE);
    }
  };
#if defined(__SANITIZE_ADDRESS__)
  static void poison(void* p, size_t bytes) { __asan_poison_memory_region(p, bytes); }
  static void unpoison(void* p, size_t bytes) { __asan_unpoison_memory_region(p, bytes); }
#else
  static void poison(void*, size_t) {}
  static void unpoison(void*, size_t) {}
#endif

  char* base_;
  size_t end_ = 0;
  int depth_ = 0;
  std::recursive_mutex mutex_;
  std::map<size_t, std::vector<char*>> free_;
  std::map<char*, size_t> sizes_;
};

Device& device() {
  static Device d;
  return d;
}

void copy_rows(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height) {
  for (size_t i = 0; i < height; ++i)
    memcpy(static_cast<char*>(to) + i * to_pitch, static_cast<const char*>(from) + i * from_pitch, width);
}

}  // namespace

namespace sklar::emulator {

void enqueue(cudaStream_t stream, std::function<void()> work) {
  if (stream && stream->capture)
    stream->capture->work.push_back(std::move(work));
  else
    device().run(work);
}

}  // namespace sklar::emulator

using sklar::emulator::enqueue;

const char* cudaGetErrorString(cudaError_t e) {
  return e == cudaErrorMemoryAllocation ? "out of memory" : e == cudaSuccess ? "no error" : "invalid argument";
}
const char* cudaGetErrorName(cudaError_t e) {
  return e == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation"
         : e == cudaSuccess             ? "cudaSuccess"
                                        : "cudaErrorInvalidValue";
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* v) { return *v = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* v) { return *v = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* n) { return *n = 1, cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  *p = {"emulated GPU", 9, 0, 1, device_memory};
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }

cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int) {
  *value = what == cudaDevAttrMultiProcessorCount ? 1 : static_cast<int>(sklar::emulator::most_shared);
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** p, size_t bytes) {
  *p = device().allocate(bytes);
  return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFree(void* p) {
  device().release(p);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = device_memory;
  *free = device().unused();
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  return *s = new EmulatedStream, cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
  delete s;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s) {
  return s && s->capture ? cudaErrorInvalidValue : cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s) {
  // a captured copy would read host memory that is gone at replay
  if (s && s->capture && kind != cudaMemcpyDeviceToDevice) return cudaErrorInvalidValue;
  enqueue(s, [=] { memcpy(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t s) {
  if (s && s->capture && kind != cudaMemcpyDeviceToDevice) return cudaErrorInvalidValue;
  enqueue(s, [=] { copy_rows(to, to_pitch, from, from_pitch, width, height); });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t s) {
  enqueue(s, [=] { memset(p, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  s->capture = new EmulatedGraph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* graph) {
  *graph = s->capture;
  s->capture = nullptr;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
  for (const auto& work : exec->work) enqueue(s, work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
