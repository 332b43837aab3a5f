"""Is GoogLeNet, with fewer parameters than AlexNet, the better network for small images too?

    nas run networks           48 runs on 6,000 images of Fashion-MNIST, 90 minutes on two cores
    nas report networks

GoogLeNet, AlexNet, VGG-16, Network in Network and a plain stack, each at a quarter of its width and
with batch norm, on a tenth of Fashion-MNIST at 28 pixels, by the recipe of `small_googlenet`, which
was chosen for GoogLeNet and for none of the others. The paper has "12x fewer parameters" than
AlexNet "while being significantly more accurate" (sec. 1); here GoogLeNet has 4.8 times fewer (8.7
times at 224 pixels and 1000 classes: `nas cost --compare`). Written before the first run: AlexNet
and the plain stack lose a point or less, Network in Network more; VGG-16 is the nearest.
"""

from nas import (
    Ablation,
    SearchSpace,
    Study,
    edit,
    small_alexnet,
    small_googlenet,
    small_network_in_network,
    small_plain,
    small_vgg16,
    versus,
)

study = Study(
    name="networks",
    question="Is GoogLeNet better than the networks of its time, for fewer parameters?",
    space=SearchSpace(
        edit(small_googlenet, {"recipe.fidelity.share": 0.1}),
        {
            "network": versus(
                alexnet=small_alexnet.network,
                vgg16=small_vgg16.network,
                network_in_network=small_network_in_network.network,
                plain=small_plain.network,
            )
        },
    ),
    plan=Ablation(design="one_factor", seeds=range(8)),
)
