# Third-party libraries, all Debian 12 packages; docs/decisions/dependencies.md says why each is here. RocksDB, hiredis and
# Boost.JSON are linked statically (one binary to copy), OpenSSL dynamically (security updates arrive by apt).
find_package(OpenSSL 3.0 REQUIRED)
find_package(Boost 1.81 REQUIRED)

add_library(deps_json INTERFACE)
find_library(BOOST_JSON_A NAMES libboost_json.a REQUIRED)
find_library(BOOST_CONTAINER_A NAMES libboost_container.a)
target_link_libraries(deps_json INTERFACE ${BOOST_JSON_A})
if(BOOST_CONTAINER_A)
  target_link_libraries(deps_json INTERFACE ${BOOST_CONTAINER_A})
endif()
add_library(deps::json ALIAS deps_json)

add_library(deps_boost INTERFACE) # headers only: Boost.Unordered
target_link_libraries(deps_boost INTERFACE Boost::headers)
add_library(deps::boost ALIAS deps_boost)

add_library(deps_crypto INTERFACE)
target_link_libraries(deps_crypto INTERFACE OpenSSL::Crypto)
add_library(deps::crypto ALIAS deps_crypto)

add_library(deps_ssl INTERFACE)
target_link_libraries(deps_ssl INTERFACE OpenSSL::SSL OpenSSL::Crypto)
add_library(deps::ssl ALIAS deps_ssl)

add_library(deps_rocksdb INTERFACE)
# ThreadSanitizer cannot see how code synchronizes that was built without it, and would report its every hand-over. As a
# shared library such code can be left out (TSAN_OPTIONS=ignore_noninstrumented_modules=1), so that what is ours is
# judged without a list of suppressions.
if(TOCSIN_SANITIZE MATCHES thread)
  find_library(ROCKSDB_SO NAMES rocksdb REQUIRED)
  set(ROCKSDB_A ${ROCKSDB_SO})
else()
  find_library(ROCKSDB_A NAMES librocksdb.a REQUIRED)
endif()
foreach(lib snappy lz4 zstd z bz2)
  find_library(LIB_${lib} NAMES lib${lib}.a ${lib} REQUIRED)
  list(APPEND ROCKSDB_CODECS ${LIB_${lib}})
endforeach()
target_link_libraries(deps_rocksdb INTERFACE ${ROCKSDB_A} ${ROCKSDB_CODECS} Threads::Threads ${CMAKE_DL_LIBS})
add_library(deps::rocksdb ALIAS deps_rocksdb)

add_library(deps_xxhash INTERFACE) # header only: XXH_INLINE_ALL
add_library(deps::xxhash ALIAS deps_xxhash)

find_package(date REQUIRED) # Debian has the time zone part as a shared library only
add_library(deps_date INTERFACE)
target_link_libraries(deps_date INTERFACE date::date-tz)
add_library(deps::date ALIAS deps_date)

find_library(TOMLPLUSPLUS NAMES tomlplusplus)
add_library(deps_cli INTERFACE)    # CLI11 and toml++: used in one file each
if(TOMLPLUSPLUS)
  target_link_libraries(deps_cli INTERFACE ${TOMLPLUSPLUS})
endif()
add_library(deps::cli ALIAS deps_cli)

find_path(HIREDIS_INCLUDE hiredis/hiredis.h REQUIRED)
find_library(HIREDIS_A NAMES libhiredis.a REQUIRED)
add_library(deps_hiredis INTERFACE) # the operators' commands are Redis clients: used in one file
target_include_directories(deps_hiredis SYSTEM INTERFACE ${HIREDIS_INCLUDE})
target_link_libraries(deps_hiredis INTERFACE ${HIREDIS_A})
add_library(deps::hiredis ALIAS deps_hiredis)

if(TOCSIN_TESTS)
  find_package(GTest 1.12 REQUIRED)
endif()
