/* Included before each C file of the peer: its build script asks for arithmetic on 32-bit words, which takes twice the time.
 * On a 64-bit machine with gcc or clang the peer is measured with the 64-bit arithmetic that it also has. */
#if defined(__x86_64__) || defined(__aarch64__)
#undef USE_FIELD_10X26
#undef USE_SCALAR_8X32
#define USE_FIELD_5X52 1
#define USE_SCALAR_4X64 1
#define HAVE___INT128 1
#define HAVE_BUILTIN_CLZLL 1
#if defined(__x86_64__)
#define USE_ASM_X86_64 1
#endif
#endif
