// The main function of tests that are one program.
#define SKLAR_TESTS_MAIN
#include "../check.hpp"
