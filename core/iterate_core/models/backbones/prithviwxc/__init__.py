"""Prithvi-WxC's encoder, made of the parts of its authors' library, as a family of backbones."""
