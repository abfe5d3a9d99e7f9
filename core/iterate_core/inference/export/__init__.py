"""Trained models as files for elsewhere: merged weights, ONNX, torch.export, in fewer bits."""
