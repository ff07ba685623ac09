# Every package that steer builds on. Debian 12 carries all but libtorch, which comes from the pinned wheel.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

# libtorch without find_package(Torch), which wants a CUDA toolkit. -idirafter: the wheel ships old protobuf and fmt headers
# that must not shadow the system's.
if(NOT EXISTS "${STEER_TORCH_ROOT}/torch/lib/libtorch_cpu.so")
  message(FATAL_ERROR "STEER_TORCH_ROOT='${STEER_TORCH_ROOT}' holds no torch/lib/libtorch_cpu.so. "
                      "Run deploy/install_dependencies.sh, which installs it and prints the folder.")
endif()
set(_torch "${STEER_TORCH_ROOT}/torch")
add_library(steer_c10 SHARED IMPORTED GLOBAL)
set_target_properties(steer_c10 PROPERTIES
  IMPORTED_LOCATION "${_torch}/lib/libc10.so"
  INTERFACE_COMPILE_OPTIONS "-idirafter${_torch}/include")
add_library(steer_torch SHARED IMPORTED GLOBAL)
set_target_properties(steer_torch PROPERTIES
  IMPORTED_LOCATION "${_torch}/lib/libtorch_cpu.so"
  INTERFACE_LINK_LIBRARIES steer_c10
  INTERFACE_COMPILE_DEFINITIONS AT_PER_OPERATOR_HEADERS
  INTERFACE_LINK_OPTIONS "LINKER:--disable-new-dtags;LINKER:--allow-shlib-undefined")

# OpenMP with the libgomp that libtorch loads: a second one on the link line would leave it to the loader which of the two a program gets.
add_library(libgomp_of_torch INTERFACE)
# clang's -fopenmp calls another runtime, so with it (coverage) the loops run on one thread; nothing that they compute depends on that.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(_openmp -fopenmp-simd)
else()
  set(_openmp -fopenmp)
endif()
target_compile_options(libgomp_of_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${_openmp}>)
target_link_libraries(libgomp_of_torch INTERFACE "${_torch}/lib/libgomp.so.1")
