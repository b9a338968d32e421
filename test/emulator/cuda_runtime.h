#pragma once

// The part of the CUDA runtime that sklar uses, on the host: memory is the host's, a stream is a list of
// closures that run when somebody waits for them, as late as a GPU may, a graph is another. As strict as a
// GPU where tests could pass that fail there: limits of launches and of shared memory, function by function
// and device by device; calls that a capture does not bear end it; an error of a kernel stays with its
// device. See emulator.hpp.
//   SKLAR_EMULATED_DEVICES=9.0,7.5,broken   compute capabilities, or a device that does not answer;
//   default 9.0 SKLAR_EMULATED_FAULT=1:20               the 20th kernel of device 1 is its last

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "emulator.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) alignas(n)

#define threadIdx (::sklar::emulator::thread_index)
#define blockIdx (::sklar::emulator::block_index)
#define blockDim (::sklar::emulator::block_size)
#define gridDim (::sklar::emulator::grid_size)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }

#define CUDART_VERSION 13000

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorECCUncorrectable = 214,
  cudaErrorNvlinkUncorrectable = 220,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalState = 401,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchTimeout = 702,
  cudaErrorAssert = 710,
  cudaErrorHardwareStackError = 714,
  cudaErrorIllegalInstruction = 715,
  cudaErrorMisalignedAddress = 716,
  cudaErrorInvalidAddressSpace = 717,
  cudaErrorInvalidPc = 718,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorUnknown = 999,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount, cudaDevAttrMaxSharedMemoryPerBlockOptin };
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;

struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
  size_t totalGlobalMem;
};
using cudaStream_t = struct EmulatedStream*;
using cudaEvent_t = struct EmulatedEvent*;
using cudaGraph_t = struct EmulatedGraph*;
using cudaGraphExec_t = struct EmulatedGraph*;

const char* cudaGetErrorString(cudaError_t);
const char* cudaGetErrorName(cudaError_t);
cudaError_t cudaGetLastError();
cudaError_t cudaDriverGetVersion(int*);
cudaError_t cudaRuntimeGetVersion(int*);
cudaError_t cudaGetDeviceCount(int*);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp*, int);
cudaError_t cudaSetDevice(int);
cudaError_t cudaGetDevice(int*);
cudaError_t cudaDeviceGetAttribute(int*, cudaDeviceAttr, int);
cudaError_t cudaMalloc(void**, size_t);
cudaError_t cudaFree(void*);
cudaError_t cudaMallocHost(void**, size_t);
cudaError_t cudaFreeHost(void*);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t*, unsigned);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned flags = 0);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t*, unsigned);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemsetAsync(void*, int value, size_t bytes, cudaStream_t);
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t*);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t*, cudaGraph_t, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t);
cudaError_t cudaGraphDestroy(cudaGraph_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t);
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value);

namespace sklar::emulator {

// kernel<<<grid, block, shared, stream>>>; `body` is a thread of it.
void launch(const void* kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream, Kernel body);

}  // namespace sklar::emulator

inline void __syncthreads() {
  sklar::emulator::meet(sklar::emulator::Collective::block_barrier, nullptr, nullptr);
}
inline void __syncwarp(unsigned = 0xffffffffu) {
  sklar::emulator::meet(sklar::emulator::Collective::warp_barrier, nullptr, nullptr);
}

inline void __threadfence() { sklar::emulator::preempt(); }

// All 32 lanes take part.
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  struct Lane {
    T value, result;
    int mask;
  } lane{value, value, mask};
  sklar::emulator::meet(sklar::emulator::Collective::shuffle, &lane, [](void* const* lanes) {
    for (int i = 0; i < 32; ++i) {
      Lane& to = *static_cast<Lane*>(lanes[i]);
      to.result = static_cast<const Lane*>(lanes[i ^ to.mask])->value;
    }
  });
  return lane.result;
}

inline float __uint_as_float(unsigned bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
inline float __expf(float x) { return expf(x); }
inline float __fdividef(float a, float b) { return a / b; }

template <class T>
T atomicAdd(T* to, T value) {
  sklar::emulator::preempt();
  const T before = *to;
  *to += value;
  return before;
}
