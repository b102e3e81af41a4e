# Install rules: libptrun, its public headers, its modules, the tool and the CMake package `ptrun`.
#
# LibTorch is not copied. libptrun looks for it where PTRUN_LIBTORCH_RPATH says: by default the folder that it was
# built with; a package that brings its own says for example -DPTRUN_LIBTORCH_RPATH='$ORIGIN/libtorch/lib'.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(PTRUN_LIBTORCH_RPATH "" CACHE STRING
  "Where the installed libptrun looks for LibTorch; empty: in the folder it was built with")
set(ptrun_libtorch_rpath "${PTRUN_LIBTORCH_RPATH}")
if(NOT ptrun_libtorch_rpath)
  get_target_property(libtorch_cpu LibTorch::cpu IMPORTED_LOCATION)
  get_filename_component(ptrun_libtorch_rpath "${libtorch_cpu}" DIRECTORY)
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/ptrun")
set_target_properties(ptrun PROPERTIES INSTALL_RPATH "$ORIGIN;${ptrun_libtorch_rpath}")
install(TARGETS ptrun EXPORT ptruntargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/runtime/include/ptrun" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h")
# Modules that libptrun opens on demand, from its own folder.
foreach(module ptrun_opencv ptrun_cuda ptrun_torch)
  if(TARGET ${module})
    set_target_properties(${module} PROPERTIES INSTALL_RPATH "$ORIGIN;${ptrun_libtorch_rpath}")
    install(TARGETS ${module} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  endif()
endforeach()

# Both may be absolute (Debian's, Nix's): then the tool finds the library where it was told to be.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_BINDIR}")
  set(ptrun_tool_rpath "${CMAKE_INSTALL_FULL_LIBDIR}")
else()
  file(RELATIVE_PATH bin_to_lib "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
  set(ptrun_tool_rpath "$ORIGIN/${bin_to_lib}")
endif()
set_target_properties(ptrun_tool PROPERTIES INSTALL_RPATH "${ptrun_tool_rpath}")
install(TARGETS ptrun_tool RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
# The commands, which the tool opens by this run path.
set_target_properties(ptrun_tool_module PROPERTIES INSTALL_RPATH "$ORIGIN;${ptrun_libtorch_rpath}")
install(TARGETS ptrun_tool_module LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")

install(EXPORT ptruntargets NAMESPACE ptrun:: DESTINATION "${package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/scripts/cmake/ptrun-config.cmake.in"
  "${PROJECT_BINARY_DIR}/package/ptrun-config.cmake" INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/ptrun-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/package/ptrun-config.cmake"
  "${PROJECT_BINARY_DIR}/package/ptrun-config-version.cmake"
  DESTINATION "${package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
