# The program, in two: steerd answers at once what needs no model, and becomes steerd-serve. One binary starts on any box: CUDA comes at run time.
include(SteerBuildWords)
steer_build_words(build_words.cc)
add_executable(steerd-serve serve.cc build_words.cc flags.cc process.cc)
target_include_directories(steerd-serve PRIVATE "${CMAKE_SOURCE_DIR}")
target_link_libraries(steerd-serve PRIVATE steer_rpc steer_telemetry steer_engine steer_steering steer_weights
  CLI11::CLI11 spdlog::spdlog Threads::Threads)
# steer_rpc is here for its headers: what links it links libtorch, and some symbol of the C++ library is always found there first.
add_library(steerd_objects OBJECT steerd.cc flags.cc rpc/health_probe.cc rpc/probe_credentials.cc)
target_include_directories(steerd_objects PRIVATE "${CMAKE_SOURCE_DIR}")
target_link_libraries(steerd_objects PRIVATE steer_rpc CLI11::CLI11)
target_compile_definitions(steerd_objects PRIVATE STEER_VERSION="${PROJECT_VERSION}")
add_executable(steerd $<TARGET_OBJECTS:steerd_objects>)
set_target_properties(steerd PROPERTIES LINKER_LANGUAGE CXX)
target_link_libraries(steerd PRIVATE steer_common gRPC::grpc++ Threads::Threads)
add_dependencies(steerd steerd-serve)
target_compile_definitions(steerd-serve PRIVATE STEER_VERSION="${PROJECT_VERSION}")
install(TARGETS steerd steerd-serve RUNTIME DESTINATION bin)
