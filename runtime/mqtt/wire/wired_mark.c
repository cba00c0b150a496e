/* Part of the wrapped library only: see wired() in wired.cpp. */
const char triggerd_paho_is_wired = 1;
