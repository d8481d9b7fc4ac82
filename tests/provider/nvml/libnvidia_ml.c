/* A stand-in for NVIDIA's NVML with two devices, so that the real binding is tested without a GPU.
   -DNO_POWER leaves a symbol out, as an old driver does; NVML_FAULT=1 makes the second device a lost one;
   NVML_DEVICES=0 is a driver without a device. -DMANY=n makes n H100s instead, each uuid twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } utilisation_t;
#ifdef MANY
static int devices[MANY];
#else
#define MANY 0
static int devices[2] = {0, 1};
#endif
static unsigned int samples;

static int number(const char *name, int otherwise) { const char *text = getenv(name); return text ? atoi(text) : otherwise; }
static int lost(void *device) { return device == &devices[1] && number("NVML_FAULT", 0) ? 15 : 0; }

int nvmlInitWithFlags(unsigned int flags) { (void)flags; return number("NVML_INIT", 0); }
int nvmlInit_v2(void) { return number("NVML_INIT", 0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 15 ? "GPU is lost" : code == 9 ? "Driver Not Loaded" : "Unknown Error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned int size) { strncpy(text, "570.00-test", size); return 0; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = number("NVML_DEVICES", MANY ? MANY : 2); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) { *device = &devices[index]; return 0; }
int nvmlDeviceGetName(void *device, char *text, unsigned int size) { if (MANY) strncpy(text, "NVIDIA H100 80GB HBM3", size); else strncpy(text, device == devices ? "Test A100" : "Test T4", size); return lost(device); }
int nvmlDeviceGetUUID(void *device, char *text, unsigned int size) { if (MANY) snprintf(text, size, "GPU-h100-%d", (int)((int *)device - devices) % (MANY ? MANY / 2 : 1)); else strncpy(text, device == devices ? "GPU-aaaa" : "GPU-bbbb", size); return lost(device); }
int nvmlDeviceGetMemoryInfo(void *device, memory_t *info) { info->total = 80ull << 30; info->used = 5ull << 30; info->free = 75ull << 30; return lost(device); }
int nvmlDeviceGetUtilizationRates(void *device, utilisation_t *rates) { rates->gpu = samples++ % 2 ? 90 : 50; rates->memory = 10; return lost(device); }
#ifndef NO_POWER
int nvmlDeviceGetPowerUsage(void *device, unsigned int *milliwatts) { *milliwatts = 250000; return lost(device); }
#endif
