# Install rules: libptrun, its public headers, its modules, the tool, the CMake package `ptrun` and ptrun.pc.
#
# Everything is relocatable: the folder may be moved as a whole. LibTorch is either copied (PTRUN_BUNDLE_LIBTORCH, what
# the packages do) into PRIVATE/, beside nothing of another program, or stays where it is: by default the folder that
# ptrun was built with, else where PTRUN_LIBTORCH_RPATH says, for example -DPTRUN_LIBTORCH_RPATH=/usr/lib/libtorch.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
# Its variables; runtime/ has them in its own scope.
find_package(LibTorch 2.11 REQUIRED QUIET)
option(PTRUN_BUNDLE_LIBTORCH "Install the libraries of LibTorch that ptrun needs, stripped of what only debuggers read" OFF)
set(PTRUN_LIBTORCH_RPATH "" CACHE STRING
  "Where the installed libptrun looks for LibTorch; empty: in the folder it was built with")
set(ptrun_private_dir "${CMAKE_INSTALL_LIBDIR}/ptrun")
set(ptrun_libtorch_rpath "${PTRUN_LIBTORCH_RPATH}")
if(PTRUN_BUNDLE_LIBTORCH)
  set(ptrun_libtorch_rpath "$ORIGIN/ptrun")
elseif(NOT ptrun_libtorch_rpath)
  set(ptrun_libtorch_rpath "${LibTorch_LIBRARY_DIR}")
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/ptrun")
set_target_properties(ptrun PROPERTIES INSTALL_RPATH "$ORIGIN;${ptrun_libtorch_rpath}")
install(TARGETS ptrun EXPORT ptruntargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime NAMELINK_COMPONENT development
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/runtime/include/ptrun" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT development FILES_MATCHING PATTERN "*.h")
# Modules that libptrun opens on demand, from its own folder. OpenCV's brings 21 libraries of its own, CUDA's 3.4 GB:
# packages apart.
foreach(module ptrun_opencv ptrun_cuda ptrun_torch)
  if(TARGET ${module})
    set(component runtime)
    if(module MATCHES "^ptrun_(opencv|cuda)$")
      set(component ${CMAKE_MATCH_1})
    endif()
    set_target_properties(${module} PROPERTIES INSTALL_RPATH "$ORIGIN;${ptrun_libtorch_rpath}")
    install(TARGETS ${module} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT ${component})
  endif()
endforeach()

if(PTRUN_BUNDLE_LIBTORCH)
  # libtorch_cpu, libc10, the OpenMP they were built with, and the two small CUDA libraries that the wheels'
  # libtorch_cpu asks for at its start.
  file(GLOB libtorch_files "${LibTorch_LIBRARY_DIR}/libgomp*.so*" "${LibTorch_ROOT_DIR}/../nvidia/*/lib/libcudart.so.*"
    "${LibTorch_ROOT_DIR}/../nvidia/*/lib/libcupti.so.*")
  list(APPEND libtorch_files "${LibTorch_CPU_LIBRARY}" "${LibTorch_C10_LIBRARY}")
  install(PROGRAMS ${libtorch_files} DESTINATION "${ptrun_private_dir}" COMPONENT runtime)
  if(CMAKE_STRIP)
    get_filename_component(libtorch_name "${LibTorch_CPU_LIBRARY}" NAME)
    install(CODE "execute_process(COMMAND \"${CMAKE_STRIP}\" --strip-unneeded
      \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${ptrun_private_dir}/${libtorch_name}\" COMMAND_ERROR_IS_FATAL ANY)"
      COMPONENT runtime)
  endif()
  if(TARGET ptrun_cuda)
    include(PtrunBundleCuda)
  endif()
  file(GLOB libtorch_wheels "${LibTorch_ROOT_DIR}/../*.dist-info")
  foreach(wheel IN LISTS libtorch_wheels)
    get_filename_component(name "${wheel}" NAME_WLE)
    install(DIRECTORY "${wheel}/" DESTINATION "${CMAKE_INSTALL_DOCDIR}/licences/${name}" COMPONENT runtime)
  endforeach()
endif()

# Both may be absolute (Debian's, Nix's): then the tool finds the library where it was told to be.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_BINDIR}")
  set(ptrun_tool_rpath "${CMAKE_INSTALL_FULL_LIBDIR}")
else()
  file(RELATIVE_PATH bin_to_lib "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
  set(ptrun_tool_rpath "$ORIGIN/${bin_to_lib}")
endif()
set_target_properties(ptrun_tool PROPERTIES INSTALL_RPATH "${ptrun_tool_rpath}")
install(TARGETS ptrun_tool RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT runtime)
# The commands, which the tool opens by this run path.
set_target_properties(ptrun_tool_module PROPERTIES INSTALL_RPATH "$ORIGIN;${ptrun_libtorch_rpath}")
install(TARGETS ptrun_tool_module LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime)

install(EXPORT ptruntargets NAMESPACE ptrun:: DESTINATION "${package_dir}" COMPONENT development)
configure_package_config_file("${PROJECT_SOURCE_DIR}/scripts/cmake/ptrun-config.cmake.in"
  "${PROJECT_BINARY_DIR}/package/ptrun-config.cmake" INSTALL_DESTINATION "${package_dir}"
  PATH_VARS CMAKE_INSTALL_LIBDIR)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/ptrun-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/package/ptrun-config.cmake"
  "${PROJECT_BINARY_DIR}/package/ptrun-config-version.cmake"
  DESTINATION "${package_dir}" COMPONENT development)

# pkg-config: the prefix follows from where the file lies, unless the library's folder is absolute.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(ptrun_pc_prefix "${CMAKE_INSTALL_PREFIX}")
  set(ptrun_pc_libdir "${CMAKE_INSTALL_LIBDIR}")
else()
  file(RELATIVE_PATH pc_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
  set(ptrun_pc_prefix "\${pcfiledir}/${pc_to_prefix}")
  set(ptrun_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
string(REPLACE "$ORIGIN" "\${libdir}" ptrun_pc_libtorch "${ptrun_libtorch_rpath}")
configure_file("${PROJECT_SOURCE_DIR}/scripts/cmake/ptrun.pc.in" "${PROJECT_BINARY_DIR}/package/ptrun.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/ptrun.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
  COMPONENT development)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT runtime)
include(PtrunPackage)
