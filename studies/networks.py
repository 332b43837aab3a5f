"""Is GoogLeNet, with fewer parameters than AlexNet, the better network for small images too?

    nas run networks           GoogLeNet, AlexNet, VGG-16, Network in Network and a plain stack
    nas confirm networks --top 4 --seeds 3    each on fresh seeds and the test split, with intervals
    nas report networks

Each at a quarter of its width, with batch norm, on Fashion-MNIST's 60,000 images of 28 pixels, by
the recipe of `small_googlenet`, which was chosen for GoogLeNet and for none of the others. Each is
trained once, on one seed: exploratory until it is confirmed.
GoogLeNet has 4.8 times fewer parameters than AlexNet here (8.7 times at 224 pixels and 1000
classes: `nas cost --compare`). Expected, from the baseline's epochs: half an hour on two cores, and
two hours more to confirm.
"""

from nas import (
    Search,
    SearchSpace,
    Study,
    small_alexnet,
    small_googlenet,
    small_network_in_network,
    small_plain,
    small_vgg16,
    versus,
)

networks = SearchSpace(
    small_googlenet,
    {
        "network": versus(
            alexnet=small_alexnet.network,
            vgg16=small_vgg16.network,
            network_in_network=small_network_in_network.network,
            plain=small_plain.network,
        )
    },
)

study = Study(
    name="networks",
    question="Is GoogLeNet better than the networks of its time, for fewer parameters?",
    space=networks,
    plan=Search(trials=5),
)
