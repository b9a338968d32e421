#pragma once

// Functions that compile for host and device. Those in SKLAR_HD are forced inline with internal linkage,
// because their headers are compiled for several instruction sets into one binary: a shared out-of-line copy
// could carry instructions the machine lacks.
#if defined(__CUDACC__)
#define SKLAR_HD static __host__ __device__ __forceinline__
#define SKLAR_HD_INLINE __host__ __device__ inline  // larger ones, and members of classes
#else
#define SKLAR_HD static inline __attribute__((always_inline))
#define SKLAR_HD_INLINE inline
#endif

// Before a loop of a kernel whose copies would not fit the registers.
#if defined(__CUDA_ARCH__)
#define SKLAR_ROLLED _Pragma("unroll 1")
#else
#define SKLAR_ROLLED
#endif
