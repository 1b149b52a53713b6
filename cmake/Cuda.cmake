# SPDX-License-Identifier: Apache-2.0
# What kernels/cuda and the NCCL groups need, for TRIREME_CUDA=ON: the toolkit (nvcc, cudart, cuBLASLt), cuDNN, its C++
# frontend and NCCL; each one missing is an error that says how to get it.
set(TRIREME_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "GPU generations to build for, as CMAKE_CUDA_ARCHITECTURES")
set(TRIREME_CUDNN_FRONTEND "" CACHE PATH "The folder above include/cudnn_frontend.h, where it is in no usual place")

include(CudaParts)
set(toolkit_words "the toolkit of CUDA 13 (nvcc, cuBLASLt, NVRTC; package cuda-toolkit-13-0${toolkit_seen})")
set(cudnn_words "cuDNN (package libcudnn9-dev-cuda-13, or -DCUDNN_INCLUDE_DIR=... -DCUDNN_LIBRARY=...)")
set(cudnn_frontend_words "cuDNN's C++ frontend (Python package nvidia-cudnn-frontend, or -DTRIREME_CUDNN_FRONTEND=...)")
set(nccl_words "NCCL (package libnccl-dev, or -DNCCL_INCLUDE_DIR=... -DNCCL_LIBRARY=...)")
if(TRIREME_CUDA_MISSING)
  set(words)
  foreach(part IN LISTS TRIREME_CUDA_MISSING)
    string(APPEND words "\n  not found: ${${part}_words}")
  endforeach()
  message(FATAL_ERROR "TRIREME_CUDA=ON needs packages that are not there. "
    "`bash launch/setup.sh --cuda` puts them into ${TRIREME_CUDA_CACHE}, no GPU needed.${words}")
endif()

if(NOT CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER ${TRIREME_CUDA_ROOT}/bin/nvcc)
endif()
set(CMAKE_CUDA_ARCHITECTURES ${TRIREME_CUDA_ARCHITECTURES})
enable_language(CUDA)
# CMake before 3.26 does not know this flag of nvcc 12 and later.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # one runtime in the process, which cuDNN and cuBLASLt share
if(CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()
find_package(CUDAToolkit REQUIRED)
message(STATUS "CUDA ${CUDAToolkit_VERSION}: ${TRIREME_CUDA_ROOT}; cuDNN: ${CUDNN_LIBRARY}, "
  "${CUDNN_FRONTEND_INCLUDE_DIR}; NCCL: ${NCCL_LIBRARY}")

add_library(trireme_nccl INTERFACE)
target_include_directories(trireme_nccl SYSTEM INTERFACE ${NCCL_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(trireme_nccl INTERFACE CUDA::cudart ${NCCL_LIBRARY})

add_library(trireme_cuda INTERFACE)
target_include_directories(trireme_cuda SYSTEM INTERFACE
  ${CUDNN_FRONTEND_INCLUDE_DIR} ${CUDNN_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
# Not the driver's library: what links it does not start on a machine without a GPU.
target_link_libraries(trireme_cuda INTERFACE CUDA::cudart CUDA::cublasLt CUDA::nvrtc ${CUDNN_LIBRARY})
# The host compiler's warnings, and all of nvcc's own as errors where the others are.
target_compile_options(trireme_cuda INTERFACE
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>" "$<$<COMPILE_LANGUAGE:CUDA>:--threads=1>")
if(TRIREME_WERROR)
  target_compile_options(trireme_cuda INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings;-Xcompiler=-Werror>")
endif()
