// A library with LibTorch's name, from another place; ptrun does not look inside.
extern "C" __attribute__((visibility("default"))) int ptrun_test_second_torch() { return 2; }
