"""Every figure by name with its numbers, made from results alone and ready for a paper."""

from analysis.figures.benchmarks import breakdown as breakdown
from analysis.figures.benchmarks import collateral as collateral
from analysis.figures.benchmarks import dampening as dampening
from analysis.figures.benchmarks import destinations as destinations
from analysis.figures.benchmarks import entropy as entropy
from analysis.figures.benchmarks import gkt as gkt
from analysis.figures.benchmarks import inversion as inversion
from analysis.figures.benchmarks import losses as losses
from analysis.figures.benchmarks import measures as measures
from analysis.figures.benchmarks import progress as progress
from analysis.figures.benchmarks import runtime as runtime
from analysis.figures.benchmarks import sequence as sequence
from analysis.figures.benchmarks import transfer as transfer
from analysis.figures.catalogue import FIGURES as FIGURES
from analysis.figures.catalogue import figure as figure
from analysis.figures.claims import equality as equality
from analysis.figures.claims import ranks as ranks
from analysis.figures.claims import robustness as robustness
from analysis.figures.plot import Choice as Choice
from analysis.figures.plot import Plot as Plot
from analysis.figures.plot import Plots as Plots
from analysis.figures.searches import history as history
from analysis.figures.searches import importance as importance
from analysis.figures.searches import sensitivity as sensitivity
from analysis.figures.searches import slices as slices
from analysis.figures.searches import stopping as stopping
