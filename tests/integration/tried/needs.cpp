// The library that tried.cpp needs.
extern "C" int tried_needs() {
  return 1;
}
