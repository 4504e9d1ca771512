// Stands in for LiteRT Micro's header of this name: it prints what is registered, and refuses more than N as the real one.
#pragma once

#include <cstdio>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

#define TF_LITE_ENSURE_STATUS(call)                  \
  do {                                               \
    const TfLiteStatus status = (call);              \
    if (status != kTfLiteOk) return status;          \
  } while (0)

struct TFLMRegistration {
  const char* name;
};

namespace tflite {

template <unsigned int N>
class MicroMutableOpResolver {
 public:
  static constexpr unsigned int capacity = N;

  TfLiteStatus AddCustom(const char* name, const TFLMRegistration*) { return Add(name); }
  TfLiteStatus AddConv2D() { return Add("AddConv2D"); }
  TfLiteStatus AddDepthwiseConv2D() { return Add("AddDepthwiseConv2D"); }
  TfLiteStatus AddDequantize() { return Add("AddDequantize"); }
  TfLiteStatus AddFullyConnected() { return Add("AddFullyConnected"); }
  TfLiteStatus AddMean() { return Add("AddMean"); }
  TfLiteStatus AddPad() { return Add("AddPad"); }
  TfLiteStatus AddReshape() { return Add("AddReshape"); }
  TfLiteStatus AddTranspose() { return Add("AddTranspose"); }

 private:
  TfLiteStatus Add(const char* name) {
    if (count_ == N) return kTfLiteError;
    ++count_;
    std::puts(name);
    return kTfLiteOk;
  }

  unsigned int count_ = 0;
};

}  // namespace tflite
