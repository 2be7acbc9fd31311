# find_package(XSched): XSched::xsched is the library with its headers. The other targets have the names by which programs link the C++
# version: XSched::preempt, XSched::hal<platform>, which are the same library, and XSched::shim<platform>, the stand-ins for the vendors' libraries.

get_filename_component(_xsched_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(_xsched_lib "${_xsched_prefix}/lib/xsched")

function(_xsched_target name file soname)
    if(NOT TARGET XSched::${name} AND EXISTS "${_xsched_lib}/${file}")
        add_library(XSched::${name} SHARED IMPORTED)
        set_target_properties(XSched::${name} PROPERTIES
            IMPORTED_LOCATION "${_xsched_lib}/${file}"
            IMPORTED_SONAME "${soname}"
            INTERFACE_INCLUDE_DIRECTORIES "${_xsched_prefix}/include")
    endif()
endfunction()

foreach(_xsched_name xsched preempt halopencl halcuda hallevelzero)
    _xsched_target(${_xsched_name} libxsched.so libxsched.so)
endforeach()
_xsched_target(shimopencl libOpenCL.so.1 libOpenCL.so.1)
_xsched_target(shimcuda libcuda.so.1 libcuda.so.1)
_xsched_target(shimlevelzero libze_loader.so.1 libze_loader.so.1)

if(NOT TARGET XSched::xsched)
    set(XSched_FOUND FALSE)
    set(XSched_NOT_FOUND_MESSAGE "there is no ${_xsched_lib}/libxsched.so")
endif()
unset(_xsched_prefix)
unset(_xsched_lib)
unset(_xsched_name)
