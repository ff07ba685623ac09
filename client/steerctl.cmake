# The program itself; its parts are libraries so that tests link them.
add_executable(steerctl "${CMAKE_CURRENT_LIST_DIR}/main.cc")
target_link_libraries(steerctl PRIVATE steer_client_commands)
install(TARGETS steerctl RUNTIME DESTINATION bin)
