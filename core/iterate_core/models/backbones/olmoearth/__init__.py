"""OlmoEarth, as the library olmoearth-pretrain-minimal builds it, as a family of backbones."""
