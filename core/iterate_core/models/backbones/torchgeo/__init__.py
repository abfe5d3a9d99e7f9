"""The encoders that TorchGeo builds, with their published weights, as backbones."""
