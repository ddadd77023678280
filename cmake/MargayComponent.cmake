include(GoogleTest)

# margay_component(NAME DEPS target...)
#
# Makes the library margay_NAME from every .cpp of the calling folder (and its subfolders), the test
# program margay_NAME_test from its *_test.cpp, and the benchmark margay_NAME_bench from its
# *_bench.cpp. What stands in folders named testing is for both of these. A file needs no mention in
# any list.
function(margay_component name)
  cmake_parse_arguments(ARG "" "" "DEPS;TEST_DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  set(benches ${sources})
  set(testing ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER testing INCLUDE REGEX "/testing/")
  list(FILTER sources EXCLUDE REGEX "(_(test|bench)\\.cpp$|/testing/)")

  if(sources)
    add_library(margay_${name} STATIC ${sources})
    target_link_libraries(margay_${name} PUBLIC ${ARG_DEPS})
  else()
    add_library(margay_${name} INTERFACE)
    target_link_libraries(margay_${name} INTERFACE ${ARG_DEPS})
  endif()
  if(testing)
    add_library(margay_${name}_testing STATIC ${testing})
    target_link_libraries(margay_${name}_testing PUBLIC margay_${name} GTest::gtest)
    list(APPEND ARG_TEST_DEPS margay_${name}_testing)
  endif()
  if(tests)
    add_executable(margay_${name}_test ${tests})
    target_link_libraries(margay_${name}_test PRIVATE margay_${name} ${ARG_TEST_DEPS} GTest::gmock
                                                      GTest::gtest_main)
    gtest_discover_tests(margay_${name}_test TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST
                         PROPERTIES TIMEOUT 300)
  endif()
  if(benches)
    add_executable(margay_${name}_bench ${benches})
    target_link_libraries(margay_${name}_bench PRIVATE margay_${name} ${ARG_TEST_DEPS}
                                                       benchmark::benchmark benchmark::benchmark_main)
  endif()
endfunction()

# margay_allocator(target): the program's malloc is jemalloc (docs/decisions/0038-allocator.md).
# Sanitizers bring their own.
function(margay_allocator target)
  if(NOT MARGAY_SANITIZE)
    target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmd/allocator.cpp)
    target_link_libraries(${target} PRIVATE PkgConfig::JEMALLOC)
  endif()
endfunction()
