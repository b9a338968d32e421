#include "fields/field.hpp"

#include "core/error.hpp"

namespace sklar {

const char* name_of(Process process) {
  return with_process(process, [](auto p) { return decltype(p)::name; });
}

Process process_of(const std::string& name) {
  for (const Process process : all_processes)
    if (name == name_of(process)) return process;
  throw Error("VALUE", "unknown process \"" + name + "\"");
}

void expect_form(Process process, Form form) {
  if (on_cube(process) != (form == Form::velocity))
    throw Error("VALUE",
                std::string(on_cube(process) ? "a velocity is the only form of the field of the "
                                             : "a velocity on the cube is no form of the field of the ") +
                    name_of(process) + " process");
}

}  // namespace sklar
