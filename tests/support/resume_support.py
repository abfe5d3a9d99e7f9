"""A search of seconds, for tests that stop it or run it elsewhere."""

EPOCHS = 3
SEARCH = f"""
# iterate hpo search.yaml
defaults:
  - recipe
  - override data: generated
  - override model/backbone: timm
  - override model/decoder: linear
  - _self_
name: killed
data: {{kind: classification, samples: [48, 24, 24], size: 16}}
model: {{backbone: {{name: resnet10t, weights: none}}}}
trainer: {{epochs: {EPOCHS}, patience: null}}
space:
  optimiser.lr: tag(log, interval(1e-4, 1e-2))
  data.batch_size: choice(8, 16)
search: {{sampler: random, scheduler: none, trials: 12, repeats: 1}}
"""
