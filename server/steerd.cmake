# The program. One binary starts on any box: CUDA comes at run time.
include(SteerBuildWords)
steer_build_words(build_words.cc)
add_executable(steerd main.cc build_words.cc flags.cc process.cc)
target_include_directories(steerd PRIVATE "${CMAKE_SOURCE_DIR}")
target_link_libraries(steerd PRIVATE steer_rpc steer_telemetry steer_engine steer_steering steer_weights
  CLI11::CLI11 spdlog::spdlog Threads::Threads)
target_compile_definitions(steerd PRIVATE STEER_VERSION="${PROJECT_VERSION}")
install(TARGETS steerd RUNTIME DESTINATION bin)
