// example_inspect FILE: what a model file is. Runs nothing from it.
#include <ptrun/error.h>
#include <ptrun/inspect.h>

#include <iostream>

int main(int, char** argv) try {
  const ptrun::Inspection file = ptrun::inspect(argv[1]);
  std::cout << file.kind << ": " << file.description << '\n';
  std::cout << (file.runnable ? "ptrun runs it" : file.explanation) << '\n';
  std::cout << file.tensors.size() << " tensors, " << file.parameters << " parameters\n";
  for (const ptrun::Finding& finding : file.findings) {
    std::cout << finding.name << ": " << finding.value << " (" << finding.source << ")\n";
  }
} catch (const ptrun::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
