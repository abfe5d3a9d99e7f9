"""Samples that are mappings of keys to arrays, as TorchGeo and Hugging Face have them."""
