# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Start here
#
# Pocketlab teaches on-device AI: making models small, fast and private enough to run on a phone. It has 25 labs in 28
# notebooks. Each one lets you guess, then build, then look at what happened; most end with something that ran on a
# real mobile runtime.
#
# **You will leave with** a working course, and with your work in one file that you can take along.
#
# **Time**: 5 minutes. **Before**: some Python. In a notebook, Shift+Enter runs a cell and goes to the next one.

# %%
from pocketlab.course import Lab

lab = Lab("00")

# %% [markdown]
# Every lab begins with these two lines. The card says what this machine has. Where something is missing, a lab says
# so and runs the closest real thing.
#
# ## Guess first
#
# Before an experiment a lab asks for your guess. Choose an answer, then press Commit. Having guessed, you read the
# result with a question in mind.

# %%
lab.predict("00.P1")

# %% [markdown]
# ## Then build
#
# ### Exercise 00.1: how many megabytes a model takes   (difficulty 1/5, about 2 minutes)
# A model has `parameters` numbers, each stored in `bits` bits. Return its size in megabytes. A megabyte is 1,000,000
# bytes and a byte is 8 bits. Do not round.
#
# A worked number: 1,000,000 parameters at 8 bits are 1.0 MB.
#
# Replace the line `raise NotImplementedError(…)` by your own, and run the cell. Get it wrong once on purpose, for
# instance by forgetting to divide by 8, to see what a check has to say.
#
# <details><summary>Hint</summary>First the number of bits in all, then bytes, then megabytes.</details>

# %% tags=["nbval-check-output"]
def model_megabytes(parameters, bits):
    """Return the size in MB of that many parameters of `bits` bits each."""
    ### BEGIN SOLUTION
    return parameters * bits / 8 / 1e6
    ### END SOLUTION


model_megabytes = lab.check("00.1", model_megabytes)

# %% [markdown]
# The card says *To do*, *Not yet* or *Passed*. When it says *Not yet*, it names the mistake if it knows it, and shows
# the first case that fails: what went in, what was expected, what came out. The lab goes on in any case, with the
# library's function in place of yours, and you can come back at any time.
#
# ## Then look

# %% tags=["nbval-check-output"]
for name, parameters in (("MobileNetV2", 3_504_872), ("a model with 7 billion parameters", 7_000_000_000)):
    sizes = ", ".join(f"{bits} bits: {model_megabytes(parameters, bits):,.1f} MB" for bits in (32, 8, 4))
    print(f"{name}: {sizes}")

# %% tags=["nbval-check-output"]
lab.reveal("00.P1")

# %% [markdown]
# At 32 bits the larger model does not fit into any phone's memory; at 4 bits it may. Labs 13 and 04 will show how to
# get there without losing what it knows.
#
# ## And a question at the end

# %%
lab.quiz()

# %% [markdown]
# ## Your labs
#
# This table is live: run the cell again after you have worked.

# %%
from pocketlab.course.status import status_table

labs, notices = status_table()
for notice in notices:
    print(notice)
labs

# %% [markdown]
# ## What this machine can run
#
# You can begin with what is marked *yes*. The last column says what installs the rest.

# %%
from pocketlab.course.doctor import found_table

found_table()

# %% [markdown]
# ## Save and restore
#
# Press Ctrl+S (or Command+S) in every notebook that is open. Then your progress, your notebooks and what they built
# go into one zip. On Binder do this before you leave: a Binder session forgets everything when it ends. Tomorrow,
# start a new session, open this notebook, and hand the zip to the second widget. A notebook that differs from the
# saved one is kept beside it, never overwritten.

# %%
from pocketlab.course.welcome import RestoreUpload, SaveButton

SaveButton()

# %%
RestoreUpload()

# %% [markdown]
# To start an exercise again, type `pocketlab reset 01.3` in a terminal (File > New > Terminal): its cell is empty
# again, and your old answer is kept in `labs/answers`. `pocketlab update` brings a newer course and leaves your
# edited notebooks alone.
#
# ## Take away
# - You can now work through a lab: guess, build, look.
# - You can now read a check's card.
# - You can now take your work along.
#
# **Next**: open `01_core_ml_and_litert.ipynb` in the file browser on the left.
#
# **Stretch exercise**: how many bits per parameter would let 7 billion parameters fit into 2 GB? Use your function to
# check.
