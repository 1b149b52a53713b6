# SPDX-License-Identifier: Apache-2.0
# What kernels/cuda needs, for TRIREME_CUDA=ON: the toolkit (nvcc, cudart, cuBLASLt), cuDNN and its C++ frontend.
set(TRIREME_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "GPU generations to build for, as CMAKE_CUDA_ARCHITECTURES")
set(TRIREME_CUDNN_FRONTEND "" CACHE PATH "The folder that holds cudnn_frontend.h")

include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER)
  find_program(TRIREME_NVCC nvcc HINTS ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
  if(NOT TRIREME_NVCC)
    message(FATAL_ERROR "TRIREME_CUDA=ON, and no nvcc was found: install the CUDA toolkit (package cuda-toolkit-13-0), "
      "or give -DCMAKE_CUDA_COMPILER=.../bin/nvcc")
  endif()
  set(CMAKE_CUDA_COMPILER ${TRIREME_NVCC})
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
if(NOT TARGET CUDA::cublasLt)
  message(FATAL_ERROR "TRIREME_CUDA=ON, and cuBLASLt was not found: install libcublas-dev of CUDA "
    "${CUDAToolkit_VERSION_MAJOR}.${CUDAToolkit_VERSION_MINOR}")
endif()

find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR})
if(NOT CUDNN_INCLUDE_DIR OR NOT CUDNN_LIBRARY)
  message(FATAL_ERROR "TRIREME_CUDA=ON, and cuDNN was not found: install libcudnn9-dev-cuda-${CUDAToolkit_VERSION_MAJOR}, "
    "or give -DCUDNN_INCLUDE_DIR=... -DCUDNN_LIBRARY=...")
endif()
find_path(CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h
  HINTS ${TRIREME_CUDNN_FRONTEND} ${TRIREME_CUDNN_FRONTEND}/include ${CUDNN_INCLUDE_DIR})
if(NOT CUDNN_FRONTEND_INCLUDE_DIR)
  message(FATAL_ERROR "TRIREME_CUDA=ON, and cudnn_frontend.h was not found: install the Python package "
    "nvidia-cudnn-frontend and give -DTRIREME_CUDNN_FRONTEND=SITE_PACKAGES/include")
endif()

add_library(trireme_cuda INTERFACE)
target_include_directories(trireme_cuda SYSTEM INTERFACE
  ${CUDNN_FRONTEND_INCLUDE_DIR} ${CUDNN_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(trireme_cuda INTERFACE CUDA::cudart CUDA::cublasLt CUDA::nvrtc CUDA::cuda_driver ${CUDNN_LIBRARY})
# Lambdas of the host that launch kernels of templates; warnings of the host's compiler, and nvcc's own as errors where
# the others are.
target_compile_options(trireme_cuda INTERFACE
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>" "$<$<COMPILE_LANGUAGE:CUDA>:--threads=1>")
