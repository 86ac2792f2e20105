# What LightGBM's CMakeLists asks of CMake's module FindCUDA, answered by its successor FindCUDAToolkit: FindCUDA is
# deprecated (CMP0146), and LightGBM's list of architectures begins at 6.0, which CUDA 13 refuses, and its select function
# turns the newest one into PTX. The list that it passes is not used.
find_package(CUDAToolkit 12.0 REQUIRED)
set(CUDA_FOUND TRUE)
set(CUDA_VERSION "${CUDAToolkit_VERSION_MAJOR}.${CUDAToolkit_VERSION_MINOR}")
set(CUDA_INCLUDE_DIRS "${CUDAToolkit_INCLUDE_DIRS}")

# A100 and H100/H200 as machine code, and what comes after them through the driver's compiler.
function(cuda_select_nvcc_arch_flags out)
  set(${out}
      -gencode=arch=compute_80,code=sm_80
      -gencode=arch=compute_90,code=sm_90
      -gencode=arch=compute_90,code=compute_90
      PARENT_SCOPE
  )
endfunction()
