// What jemalloc reads at its start (jemalloc(3), "TUNING").

extern "C" {

// Few arenas: the agent and the API server hand over between threads what each allocates, and every
// arena keeps pages of its own. Pages that are not used again soon go back to the kernel, also
// while the program is idle.
const char* malloc_conf = "narenas:2,background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0";
}
