# What steer_build_info says: the commit, from git or from -DSTEER_COMMIT=... where there is no repository (a source archive, an image's
# build), and the libtorch that is linked.
set(STEER_COMMIT "" CACHE STRING "Commit that is built; empty: asked of git")
set(steer_commit "${STEER_COMMIT}")
if(NOT steer_commit AND EXISTS "${CMAKE_SOURCE_DIR}/.git")
  execute_process(COMMAND git rev-parse --short=12 HEAD WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}"
    OUTPUT_VARIABLE steer_commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(EXISTS "${CMAKE_SOURCE_DIR}/.git/logs/HEAD")
    set_property(DIRECTORY "${CMAKE_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/.git/logs/HEAD")
  endif()
endif()
if(NOT steer_commit)
  set(steer_commit "unknown")
endif()

file(STRINGS "${STEER_TORCH_ROOT}/torch/version.py" _lines REGEX "^(__version__|cuda)[^=]*= *'")
set(steer_libtorch_version "unknown")
set(steer_libtorch_cuda "none")
foreach(_line ${_lines})
  if(_line MATCHES "^__version__[^']*'([^']*)'")
    set(steer_libtorch_version "${CMAKE_MATCH_1}")
  elseif(_line MATCHES "^cuda[^']*'([^']*)'")
    set(steer_libtorch_cuda "${CMAKE_MATCH_1}")
  endif()
endforeach()

# steer_build_words(SOURCE): gives the file the words.
function(steer_build_words source)
  set_source_files_properties("${source}" PROPERTIES COMPILE_DEFINITIONS
    "STEER_COMMIT=\"${steer_commit}\";STEER_LIBTORCH_VERSION=\"${steer_libtorch_version}\";STEER_LIBTORCH_CUDA=\"${steer_libtorch_cuda}\"")
endfunction()
